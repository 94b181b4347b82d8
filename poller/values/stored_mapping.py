"""A mapping that was made through Lambda's API, as a store keeps it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

KEPT_SECONDS = 7 * 86400.0
"""For which a deleted mapping and its position stay stored, for `poller state restore`."""


@dataclass(frozen=True, slots=True)
class StoredMapping:
    """What was asked for last, as it was given: what is made of it is decided anew at every start."""

    uuid: str
    parameters: Mapping[str, Any]
    """By the names of CreateEventSourceMapping, with its `Tags`; JSON values."""
    revision: int
    """One more with every change, from 1."""
    modified: float
    """When it was last changed, epoch seconds."""
    deleted: bool = False
    """It runs no more. It and its position are kept for `KEPT_SECONDS`."""


def follows(mapping: StoredMapping, stands: StoredMapping | None) -> bool:
    """Whether a store may put a mapping in the place of what stands there: the revision before, or the very same."""
    return stands == mapping or mapping.revision - 1 == (0 if stands is None else stands.revision)


def versions_of(mappings: Iterable[StoredMapping]) -> str:
    """Another text for other mappings, or other revisions of the same."""
    return ",".join(sorted(f"{one.uuid}:{one.revision}" for one in mappings))
