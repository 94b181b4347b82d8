"""What a mapping of any stream may say: parameters, the checks between them, and lanes."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poller.configuration.model.mapping import EventSourceMapping
    from poller.configuration.model.mapping_keys import WrittenMapping
    from poller.sources.kind import Finding

LEAST_AGE = 60
MOST_AGE = 604_800
"""Seconds: the range of a maximum age of records, where there is one."""

TAKES = frozenset(
    {
        "filter_criteria",
        "function_response_types",
        "metrics_config",
        "parallelization_factor",
        "starting_position",
        "maximum_record_age_in_seconds",
        "maximum_retry_attempts",
        "bisect_batch_on_function_error",
        "tumbling_window_in_seconds",
        "destination_config",
    }
)
OWN = frozenset({"shadow", "poll_interval_seconds", "idle_poll_interval_seconds", "on_stream_recreated"})
INSTEAD = {
    "scaling_config": "limit concurrent batches by parallelization_factor or the function's concurrency",
    "provisioned_poller_config": "remove it; every shard has lanes of its own",
    "document_db_event_source_config": "it says what is read of a DocumentDB cluster; remove it",
    "source_access_configurations": "remove it; credentials come from aws or the SDK's own chain",
}


def lanes(mapping: "EventSourceMapping") -> tuple[int, int]:
    """`(start, most)`: concurrent batches per shard."""
    return mapping.parallelization_factor, mapping.parallelization_factor


def cross_check(written: "WrittenMapping", title: str, positions: Sequence[str]) -> Iterator["Finding"]:
    """Parameters that cannot stand together. `title` names the kind, `positions` are the starting positions it has."""
    yield from _position(written, title, positions)
    if written.tumbling_window_in_seconds:
        yield from _windows(written)


def _position(written: "WrittenMapping", title: str, positions: Sequence[str]) -> Iterator["Finding"]:
    position, timestamp = written.starting_position, written.starting_position_timestamp
    possible = f"{', '.join(positions[:-1])} or {positions[-1]}"
    if position is None:
        yield ("starting_position",), f"is missing; it can be {possible}"
    elif position not in positions:
        yield ("starting_position",), f"{position} is not supported for {title}; it can be {possible}"
    elif position == "AT_TIMESTAMP" and timestamp is None:
        yield ("starting_position_timestamp",), "is missing; AT_TIMESTAMP needs it"
    elif position != "AT_TIMESTAMP" and timestamp is not None:
        yield ("starting_position_timestamp",), "is for starting_position AT_TIMESTAMP only; remove it"
    if timestamp is not None and timestamp > time.time():
        yield ("starting_position_timestamp",), "is in the future"
    if written.name is None and written.uuid is None:
        yield ("name",), "is missing; a stream's position is kept by its mapping's name (or uuid)"


def _windows(written: "WrittenMapping") -> Iterator["Finding"]:
    if written.parallelization_factor > 1:
        yield (
            ("parallelization_factor",),
            "must be 1 with tumbling_window_in_seconds, as in Lambda; remove one of the two",
        )
    if written.filter_criteria is not None and written.filter_criteria.filters:
        yield (
            ("filter_criteria",),
            "cannot stand beside tumbling_window_in_seconds, as in Lambda; remove it, or filter in the function",
        )
