"""What the catalog tells of a mapping."""

from dataclasses import dataclass

from poller.configuration import EventSourceMapping
from poller.policy.mapping_states import ApiState
from poller.ports.status import MappingStatus
from poller.values.stored_mapping import StoredMapping


@dataclass(frozen=True, slots=True)
class Entry:
    """A mapping of the catalog, as it is now."""

    uuid: str
    mapping: EventSourceMapping | None
    """As it runs, or would; None where it cannot."""
    status: MappingStatus | None
    """None where it does not run."""
    function_arn: str
    state: ApiState
    stored: StoredMapping | None
    """None for one of the configuration."""
    place: str = ""
    """Where it stands in the configuration's files."""
    problem: str = ""
    """Why a made mapping does not run."""
