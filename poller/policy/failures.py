"""Groups failures of a function that differ only in numbers and identifiers, so that a person sees causes, not lines.

Pure: times are arguments. All of it is bounded, whatever a function may answer.
"""

import re
from dataclasses import dataclass, field, replace

from poller.values.texts import shortened

MOST_GROUPS = 50
"""Groups kept of a mapping. A further one takes the place of the group that was seen longest ago."""
MOST_CHARACTERS = 500
"""Characters of a failure's text that are looked at and kept."""
LOG_LINES = 3
"""Last lines kept of what the function logged."""
SOON = 900.0
"""Seconds within which a change of the configuration is worth naming beside a failure that began after it."""

_FOLDED = re.compile(
    r"(?P<kept>\b(?:HTTP|status(?: code)?|code|exit)[ :=]{1,2}\d{1,3}\b)"
    r"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|\b\w*\d\w*(?:[.:-]\w*\d\w*)*"
)


def template(text: str) -> str:
    """Replace each number and each word that holds a digit by `#`.

    Status and exit codes are kept: they tell causes apart.
    """
    return _FOLDED.sub(lambda found: found["kept"] or "#", text)


@dataclass(frozen=True, slots=True)
class Failure:
    """One invocation that failed, as a whole or for some of its records."""

    error: str
    """The type of the error, such as `ValueError`, `timeout` or `BatchItemFailures`."""
    text: str
    """What the function or its transport said, cut to a bound."""
    records: int
    """Records of the invocation."""
    failed: int
    """Records that it failed."""
    first: str | None
    """Identifier of the invocation's first record; None for the closing call of a window."""
    request_id: str | None = None
    partition: str = ""
    at: float = 0.0
    """When it ended, in the caller's time."""
    logs: str = ""
    """The end of what the function logged."""


@dataclass(slots=True)
class FailureGroup:
    """Failures with one type and one template."""

    number: int
    """Counts the mapping's groups; never given again."""
    error: str
    template: str
    first: Failure
    last: Failure
    smallest: Failure
    """The failure with the fewest records: after a bisect the record itself."""
    count: int = 1
    records: int = 0


@dataclass(slots=True)
class FailureGroups:
    """The groups of one mapping."""

    most: int = MOST_GROUPS
    forgotten: int = 0
    """Groups that were left out to make place."""
    _groups: dict[tuple[str, str], FailureGroup] = field(default_factory=dict)
    _last_number: int = 0

    def add(self, failure: Failure, partition: str, at: float) -> FailureGroup:
        """Count a failure of a partition that ended `at`, and return its group."""
        text, logs = shortened(failure.text, MOST_CHARACTERS), _end(failure.logs)
        failure = replace(failure, text=text, partition=partition, at=at, logs=logs)
        key = failure.error, template(failure.text)
        group = self._groups.pop(key, None)
        if group is None:
            self._last_number += 1
            if len(self._groups) >= self.most:
                del self._groups[next(iter(self._groups))]
                self.forgotten += 1
            group = FailureGroup(self._last_number, *key, failure, failure, failure)
        else:
            group.count += 1
            group.last = failure
            if failure.records <= group.smallest.records:
                group.smallest = failure
        group.records += failure.failed
        # the order of the dictionary is that of the last failures
        self._groups[key] = group
        return group

    def newest_first(self) -> list[FailureGroup]:
        """The groups, the one that failed last at the front."""
        return list(reversed(self._groups.values()))


def _end(logs: str) -> str:
    """The last lines, cut to the bound from their beginning."""
    lines = [line for line in logs[-4 * MOST_CHARACTERS :].splitlines() if line.strip()]
    return "\n".join(lines[-LOG_LINES:])[-MOST_CHARACTERS:]


def began(first: float, loaded: float, loads: int) -> str | None:
    """When failures began shortly after the configuration was loaded for the `loads`-th time, a sentence that says so.
    Times are seconds since the epoch.
    """
    after = first - loaded
    if not 0 <= after <= SOON:
        return None
    span = f"{after:.0f} s" if after < 120 else f"{after / 60:.0f} minutes"
    what = "the start" if loads == 1 else f"load {loads} of the configuration"
    return f"began {span} after {what}"
