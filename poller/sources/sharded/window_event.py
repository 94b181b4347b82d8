"""Adds the members of a tumbling window to an event, in the order of AWS."""

from poller.policy.windows import Window
from poller.support import codec

MEMBERS_BOUND = 320
"""Most bytes of the members, apart from state, shard id and ARN."""


def with_window(event: bytes, window: Window, *, shard_id: str, arn: str, final: bool) -> bytes:
    """The event with its window members. A `final` event has no records."""
    early = final and window.terminated_early
    before = {"window": window.bounds}
    after = {
        "shardId": shard_id,
        "eventSourceARN": arn,
        "isFinalInvokeForWindow": final,
        "isWindowTerminatedEarly": early,
    }
    # the state is JSON already, and may have megabytes
    return b"".join(
        (event[:-1], b",", codec.dumps(before)[1:-1], b',"state":', window.state, b",", codec.dumps(after)[1:])
    )


def added(window: Window, *, shard_id: str, arn: str) -> int:
    """Most bytes that `with_window` adds."""
    return MEMBERS_BOUND + len(window.state) + len(shard_id) + len(arn)
