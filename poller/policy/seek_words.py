"""What a seek and its undoing would do, and have done, in sentences for the person who asked for it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from poller.policy.actions import Action, Stage
from poller.policy.invocation_record import iso_milliseconds
from poller.policy.positions import place
from poller.policy.progress import ShardProgress, StreamProgress
from poller.policy.seeking import MOST_NAMED, Before, Target
from poller.values.texts import counted

AGAIN = "what lies between the new position and the old one is delivered again"
NOT_DELIVERED = "what lies between the old position and the new one is not delivered"
EITHER = f"If that is back, {AGAIN}; if it is forward, {NOT_DELIVERED}."
FORMER = "from where the last seek left off, with the attempts and windows of that time"
SINCE_SEEK = "What was delivered since that seek and lies behind that position is delivered again."
GIVEN_UP = ("skip", "isolate")
"""Orders that give records up."""
MARGIN_SECONDS = 1.0
"""By which the time of a position is not known."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a mapping beside its stored progress."""

    now: float
    """Epoch seconds."""
    behind: Mapping[str, float | None]
    """By shard, as far as it is read here: for how many seconds it is behind."""
    given_up: Sequence[Action]
    """The orders by which people gave up records of it, the latest first."""


def given_up(actions: Sequence[Action], uuid: str) -> list[Action]:
    """The orders by which people gave up records of a mapping."""
    return [one for one in actions if one.uuid == uuid and one.what in GIVEN_UP and one.stage is not Stage.FAILED]


def impact(stored: StreamProgress, target: Target, shards: Mapping[str, ShardProgress], known: Known) -> list[str]:
    """What a seek does."""
    now = {name: shard.position for name in shards if (shard := stored.shards.get(name)) is not None}
    in_work = sum(lane.in_work for name in shards if (shard := stored.shards.get(name)) for lane in shard.lanes)
    back = [_is_back(target, now.get(name), known.behind.get(name), known.now) for name in shards]
    since = None if all(one is False for one in back) else target.timestamp or 0.0
    return [
        f"Running invocations end and are settled. Then {_which(shards)} read from {target.words}.",
        _between(back),
        *([] if since is None else _come_again(known.given_up, since)),
        *(f"{name} was read up to {at}." for name, at in [*now.items()][:MOST_NAMED] if at is not None),
        *([f"The attempts and the open windows of {counted(in_work, 'lane')} are given up."] if in_work else ()),
        "Undoing the seek goes back to the present position.",
    ]


def _is_back(target: Target, position: str | None, behind: float | None, now: float) -> bool | None:
    """Whether a shard is moved back; None where that is not known."""
    if target.timestamp is not None:
        if behind is None or abs(target.timestamp - (now - behind)) <= MARGIN_SECONDS:
            return None
        return target.timestamp < now - behind
    if target.where == "AT_SEQUENCE_NUMBER":
        return None if position is None else place(target.sequence_number or "0") <= place(position)
    return target.where == "TRIM_HORIZON"


def _between(back: Sequence[bool | None]) -> str:
    backward, forward = back.count(True), back.count(False)
    if None in back:
        return EITHER
    if not forward:
        return f"That is back: {AGAIN}."
    if not backward:
        return f"That is forward: {NOT_DELIVERED}."
    return (
        f"That is back for {counted(backward, 'shard')}: {AGAIN}. "
        f"It is forward for {counted(forward, 'shard')}: {NOT_DELIVERED}."
    )


def _come_again(orders: Sequence[Action], since: float) -> Iterator[str]:
    """A warning of records that a person gave up `since` then."""
    found = [one for one in orders if one.at >= since]
    if found:
        last = f"{found[0].what} at {iso_milliseconds(found[0].at)}"
        which = last if len(found) == 1 else f"{counted(len(found), 'order')}, the last of them {last}"
        yield f"Records that were given up by hand come again where they lie behind the new position: {which}."


def _which(shards: Mapping[str, object]) -> str:
    return f"{len(shards)} shards are" if len(shards) > 1 else f"{next(iter(shards))} is"


def done(target: Target, shards: Mapping[str, object]) -> str:
    """What a seek has done."""
    return f"The position was moved: {_which(shards)} now read from {target.words}. It can be undone."


def undone(shards: Before) -> str:
    """What the undoing of a seek has done."""
    return f"The position was moved back: {_which(shards)} read {FORMER}. {SINCE_SEEK}"


def undo_impact(seek: Action, orders: Sequence[Action]) -> list[str]:
    """What the undoing of a seek does; `orders` are those by which people gave up records of the mapping."""
    places = {name: shard.position for name, shard in seek.before.items() if shard is not None}
    return [
        f"Running invocations end and are settled. Then {_which(seek.before)} read {FORMER}.",
        SINCE_SEEK,
        *_come_again(orders, seek.at),
        *(f"{name} was read up to {at} then." for name, at in [*places.items()][:MOST_NAMED] if at is not None),
    ]
