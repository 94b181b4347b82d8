"""What the function sees of a tumbling window beside the records, in the event and in the order of AWS."""

from poller.policy.windows import Window
from poller.support import codec

MEMBERS_BOUND = 320
"""Bytes of the members beside state, shard id and ARN at the most."""


def with_window(event: bytes, window: Window, *, shard_id: str, arn: str, final: bool) -> bytes:
    """An event of records, none for the `final` one, as it is delivered in a window."""
    early = final and window.terminated_early
    before = {"window": window.bounds}
    after = {
        "shardId": shard_id,
        "eventSourceARN": arn,
        "isFinalInvokeForWindow": final,
        "isWindowTerminatedEarly": early,
    }
    # the state is JSON already, and up to megabytes of it
    return b"".join(
        (event[:-1], b",", codec.dumps(before)[1:-1], b',"state":', window.state, b",", codec.dumps(after)[1:])
    )


def added(window: Window, *, shard_id: str, arn: str) -> int:
    """Bytes that `with_window` adds at the most."""
    return MEMBERS_BOUND + len(window.state) + len(shard_id) + len(arn)
