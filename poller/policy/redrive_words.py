"""What a redrive would do, in sentences for the person who asked for it. Pure."""

from collections.abc import Sequence

from poller.policy.invocation_record import iso_milliseconds
from poller.policy.redriving import Redriven
from poller.values.texts import counted

WHAT = {"dead_letters": "dead letters", "destination": "the on-failure destination"}


def taken_from(redriven: Redriven) -> str:
    """What a redrive takes."""
    if redriven.which != "source":
        return WHAT[redriven.which]
    begin = "the oldest record" if redriven.begin is None else iso_milliseconds(redriven.begin)
    until = "" if redriven.end is None else f" until {iso_milliseconds(redriven.end)}"
    of = "" if redriven.shard is None else f" of {redriven.shard}"
    return f"the interval from {begin}{until}{of}"


def impact(
    function: str, redriven: Redriven, partitions: Sequence[str], *, receives: bool, before: Redriven | None
) -> list[str]:
    """`before` is the redrive as it stopped, where it is to go on; `receives` says whether reading hides records."""
    where = partitions[0] if len(partitions) == 1 else f"{len(partitions)} shards"
    rate = f"{counted(1, 'record') if redriven.rate == 1 else f'{redriven.rate:g} records'} per second at most"
    then = f"alone, then with up to {redriven.batch}" if redriven.batch > 1 else "at a time"
    first = f"{function} is invoked with one record of {where} {then}: {rate}."
    if redriven.which == "source":
        first = f"Once more goes {taken_from(redriven)}. {first}"
    if receives:
        kept = "A message that the function succeeds on is deleted; every other one stays, with one receive more."
    else:
        kept = "No position of the mapping moves. Records that were delivered before are delivered again."
    return [
        first,
        *([] if before is None else [_goes_on(before, passes_over=redriven.passing_over)]),
        kept,
        "It stops at the first record that fails again, and can be resumed.",
        "The mapping goes on meanwhile: pause it where the order between old and new records matters.",
    ]


def _goes_on(before: Redriven, *, passes_over: bool) -> str:
    one = before.failed == 1
    failed = f"{'the record' if one else f'the {before.failed:,} records'} that failed again"
    if not before.failed:
        return "It goes on behind the last record that was done."
    if passes_over:
        return f"It passes over {failed}, which {'stays where it is' if one else 'stay where they are'}."
    return f"It tries {failed} once more, and goes on behind {'it' if one else 'them'}."
