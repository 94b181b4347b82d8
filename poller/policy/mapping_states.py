"""The state of a mapping in the words of Lambda's API: what was asked for, and whether it is so yet.

created -> Creating -> Enabled | Disabled
changed -> Updating | Enabling | Disabling -> Enabled | Disabled
deleted -> Deleting -> it is no more
"""

from dataclasses import dataclass
from enum import StrEnum

LONGEST_CHANGE = 5.0
"""Seconds after which a change shows as done, although a run under way may still finish what it has. Tools wait for a
state, and refuse to do anything else meanwhile.
"""


class ApiState(StrEnum):
    """As Lambda spells them."""

    CREATING = "Creating"
    ENABLING = "Enabling"
    ENABLED = "Enabled"
    DISABLING = "Disabling"
    DISABLED = "Disabled"
    UPDATING = "Updating"
    DELETING = "Deleting"

    @property
    def lasts(self) -> bool:
        """Whether nothing is under way, so that a call may change the mapping."""
        return self in (ApiState.ENABLED, ApiState.DISABLED)


@dataclass(frozen=True, slots=True)
class Change:
    """The last change of a mapping that a call asked for."""

    shown: ApiState
    """While it is under way."""
    since: float
    """Times are the loop's."""


def creation(now: float) -> Change:
    """A new mapping."""
    return Change(ApiState.CREATING, now)


def update(before: bool, after: bool, now: float) -> Change:
    """Other parameters; `before` and `after`: whether it is enabled."""
    if before is after:
        return Change(ApiState.UPDATING, now)
    return Change(ApiState.ENABLING if after else ApiState.DISABLING, now)


def api_state(change: Change | None, now: float, *, enabled: bool, applied: bool, rests_at_once: bool) -> ApiState:
    """The state `now`, unless it is deleted. `applied`: what runs, or rests, is what was asked for. `rests_at_once`:
    nothing is under way for a mapping of that kind where it is created disabled, or changed while it is.
    """
    steady = ApiState.ENABLED if enabled else ApiState.DISABLED
    if change is None or applied or now - change.since >= LONGEST_CHANGE:
        return steady
    if rests_at_once and not enabled and change.shown in (ApiState.CREATING, ApiState.UPDATING):
        return steady
    return change.shown
