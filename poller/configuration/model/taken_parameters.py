"""Which source takes which parameter of a mapping: put together from the rows of the source kinds.

The parameters themselves are in `mapping_keys`, checks between them in `cross_checks` and in the kinds' folders.
"""

from collections.abc import Mapping

from poller.sources.kind import SourceKind
from poller.sources.kinds import KINDS

COMMON = frozenset(
    {
        "function_name",
        "event_source_arn",
        "enabled",
        "batch_size",
        "maximum_batching_window_in_seconds",
        "tags",
    }
)
"""AWS parameters of every kind of source."""

_KAFKA = "it belongs to Kafka and message brokers, which are not sources here; remove it"
REFUSED: Mapping[str, str] = {
    "kms_key_arn": "no filter is stored that it could encrypt; remove it",
    "topics": _KAFKA,
    "queues": _KAFKA,
    "self_managed_event_source": _KAFKA,
    "self_managed_kafka_event_source_config": _KAFKA,
    "amazon_managed_kafka_event_source_config": _KAFKA,
    "logging_config": "what is logged is set for the whole process, by log; remove it",
}
"""AWS parameters that no source takes, with the reason."""

OF_BROKERS = frozenset(parameter for parameter, reason in REFUSED.items() if reason == _KAFKA)
"""AWS parameters by which a mapping shows that its source is Kafka or a message broker."""

AWS_PARAMETERS = COMMON.union(REFUSED, *(kind.takes for kind in KINDS.values()))
"""Every parameter of CreateEventSourceMapping."""
OWN = frozenset().union(*(kind.own for kind in KINDS.values()))
"""Our own parameters that belong to some kinds only."""


def takes(kind: SourceKind, parameter: str) -> bool:
    """Whether a source of this kind takes a parameter; true for our own that belong to no kind."""
    if parameter in AWS_PARAMETERS:
        return parameter in COMMON or parameter in kind.takes
    return parameter not in OWN or parameter in kind.own


def not_for(kind: SourceKind | None, parameter: str) -> str | None:
    """Why a source of this kind does not take a parameter; None if it does, or if there is no such parameter.

    Where the kind is not known, only the parameters that no source takes have a reason.
    """
    if parameter in REFUSED:
        return f"is not supported: {REFUSED[parameter]}"
    if kind is None or takes(kind, parameter):
        return None
    if parameter in OWN:
        owners = " and ".join(other.plural for other in KINDS.values() if parameter in other.own)
        return f"is for {owners} only; {kind.instead.get(parameter, 'remove it')}"
    return f"is not supported for {kind.title}, as in Lambda: {kind.instead[parameter]}"
