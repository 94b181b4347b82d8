"""A mapping that was made through Lambda's API, as a store keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
    """It is to go, and runs no more; what is stored of it goes first."""


def follows(mapping: StoredMapping, stands: StoredMapping | None) -> bool:
    """Whether a store may put a mapping in the place of what stands there: the revision before, or the very same."""
    return stands == mapping or mapping.revision - 1 == (0 if stands is None else stands.revision)
