"""What the mapping operations ask of the catalog of all mappings."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from poller.configuration import EventSourceMapping
from poller.policy.mapping_states import ApiState
from poller.ports.status import MappingStatus
from poller.values.stored_mapping import StoredMapping


class Entry(Protocol):
    """A mapping, as it is now."""

    @property
    def uuid(self) -> str: ...
    @property
    def mapping(self) -> EventSourceMapping | None:
        """None for a stored one that cannot run."""
        ...

    @property
    def status(self) -> MappingStatus | None: ...
    @property
    def function_arn(self) -> str: ...
    @property
    def state(self) -> ApiState: ...
    @property
    def stored(self) -> StoredMapping | None:
        """None for one of the configuration's files."""
        ...

    @property
    def place(self) -> str:
        """Where it stands in the files."""
        ...

    @property
    def problem(self) -> str:
        """Why it does not run."""
        ...


class Catalog(Protocol):
    """All mappings. Calls that change one raise StateError where nothing could be stored."""

    async def look(self) -> None:
        """Know what other daemons have stored by now. Raises StateError."""
        ...

    def entries(self) -> Sequence[Entry]: ...
    def find(self, uuid: str) -> Entry | None: ...
    def check(self, parameters: Mapping[str, Any], uuid: str | None = None) -> EventSourceMapping:
        """Raises ConfigurationError, UnknownFunction and MappingExists."""
        ...

    async def create(self, parameters: Mapping[str, Any]) -> Entry:
        """Raises what `check` does, and MappingChanged."""
        ...

    async def change(self, stored: StoredMapping, parameters: Mapping[str, Any], *, resume: bool) -> Entry:
        """Raises what `check` does, and MappingChanged."""
        ...

    async def tag(self, stored: StoredMapping, tags: Mapping[str, str]) -> None:
        """Raises MappingChanged."""
        ...

    async def delete(self, stored: StoredMapping) -> Entry:
        """Raises MappingChanged."""
        ...


class Seen(Protocol):
    """What a look has found."""

    @property
    def found(self) -> str:
        """`missing`, `denied`, or nothing."""
        ...

    @property
    def action(self) -> str:
        """IAM's name of what was refused."""
        ...


class Looking(Protocol):
    """Looks at what a mapping names, within a few seconds."""

    async def function(self, mapping: EventSourceMapping) -> Seen: ...
    async def source(self, mapping: EventSourceMapping) -> Seen: ...
