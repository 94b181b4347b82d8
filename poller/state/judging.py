"""What a shared store answers about a conditional write that changed nothing: it was stored before, or it is lost."""

from poller.ports.fleet import Lease, Write


def is_end(write: Write) -> bool:
    """Whether nobody owns the shard after this write."""
    return write.release or (write.progress is not None and write.progress.finished)


def stored_before(row: Lease | None, member: str, write: Write) -> bool:
    """Whether the row shows that this write, or a later one under the same fence, was stored. `row` was read after the
    write had changed nothing; None where it is gone.
    """
    if row is None or row.fence != write.fence:
        return False
    if row.owner != member:
        return row.owner is None and is_end(write)
    return row.version >= write.version


def in_rounds(writes: "list[Write]") -> "list[list[Write]]":
    """The writes in their order, so that no shard is twice in one round: a statement changes a row once."""
    rounds: list[list[Write]] = []
    nth: dict[tuple[str, str], int] = {}
    for write in writes:
        key = write.uuid, write.shard_id
        number = nth[key] = nth.get(key, -1) + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(write)
    return rounds
