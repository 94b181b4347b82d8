"""Disables a mapping in Lambda, and says from when on its source has to be read so that nothing is left out.

Lambda shows no positions. What it has not processed when it ends is younger than the instant of its end less the
highest iterator age that it had: reading begins there, and what it had processed since is delivered twice.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from poller.values.errors import CallError, EnvironmentProblem

Call = Callable[..., Awaitable[dict[str, Any]]]
"""`call(service, method, **arguments)` of the SDK. Raises CallError."""
LOOK_BACK_SECONDS = 15 * 60.0
"""Over which the highest iterator age is asked."""
MARGIN_SECONDS = 60.0
"""For clocks that differ, and for an age that rose since it was reported."""
LOOK_SECONDS = 5.0
DISABLE_SECONDS = 15 * 60.0
"""How long Lambda may take: the longest timeout of a function."""
DISABLED, DISABLING = "Disabled", "Disabling"


@dataclass(frozen=True, slots=True)
class Ended:
    """A mapping of Lambda's that processes nothing any more."""

    at: float
    """When it was ended, epoch seconds."""
    age: float
    """The highest iterator age before, in seconds; 0 for a queue."""

    @property
    def begin(self) -> float:
        """From when on the source has to be read."""
        return self.at - self.age - MARGIN_SECONDS


async def look(call: Call, uuid: str, source: str) -> dict[str, Any]:
    """The mapping as Lambda shows it. Raises EnvironmentProblem, also where it reads another source."""
    answer = await _asked(call, "lambda", "get_event_source_mapping", UUID=uuid)
    found = answer.get("EventSourceArn")
    if found != source:
        raise EnvironmentProblem(f"Lambda's mapping {uuid} reads {found}, and the mapping here {source}")
    return answer


async def ended(call: Call, shown: dict[str, Any], age: float | None, wall: Callable[[], float] = time.time) -> Ended:
    """Disable the mapping that `look` has returned, and wait until it is. `age` is the highest iterator age, where
    CloudWatch is not to be asked. Raises EnvironmentProblem; then it can be called again.
    """
    uuid, asked = str(shown["UUID"]), wall()
    if shown.get("State") == DISABLED:
        asked = _seconds(shown.get("LastModified"), asked)
    if age is None:
        age = await _highest_age(call, shown, asked)
    if shown.get("State") not in (DISABLED, DISABLING):
        await _asked(call, "lambda", "update_event_source_mapping", UUID=uuid, Enabled=False)
    waited = 0.0
    while shown.get("State") != DISABLED:
        if waited >= DISABLE_SECONDS:
            raise EnvironmentProblem(
                f"Lambda has not disabled {uuid} within {DISABLE_SECONDS / 60:.0f} minutes: it is "
                f"{shown.get('State')}. Run this command again once it is Disabled"
            )
        await asyncio.sleep(LOOK_SECONDS)
        waited += LOOK_SECONDS
        shown = await _asked(call, "lambda", "get_event_source_mapping", UUID=uuid)
    return Ended(min(asked, _seconds(shown.get("LastModified"), asked)), age)


async def _highest_age(call: Call, shown: dict[str, Any], now: float) -> float:
    """The highest iterator age of the function in the minutes before. Raises EnvironmentProblem where none is known."""
    name = str(shown.get("FunctionArn")).partition(":function:")[2].partition(":")[0]
    until = datetime.fromtimestamp(now, UTC)
    answer = await _asked(
        call,
        "cloudwatch",
        "get_metric_statistics",
        Namespace="AWS/Lambda",
        MetricName="IteratorAge",
        Dimensions=[{"Name": "FunctionName", "Value": name}],
        StartTime=until - timedelta(seconds=LOOK_BACK_SECONDS),
        EndTime=until + timedelta(seconds=MARGIN_SECONDS),
        Period=60,
        Statistics=["Maximum"],
    )
    points = answer.get("Datapoints") or ()
    if not points:
        raise EnvironmentProblem(
            f"CloudWatch knows no iterator age of {name} within 15 minutes, so it is not known how far Lambda was "
            "behind; nothing was changed. Say with --age how many seconds it is, at most"
        )
    return max(float(point["Maximum"]) for point in points) / 1000


async def _asked(call: Call, service: str, method: str, **arguments: Any) -> dict[str, Any]:
    try:
        return await call(service, method, **arguments)
    except CallError as error:
        raise EnvironmentProblem(
            f"{service} does not answer {method}: {error}; the command can be run again"
        ) from error


def _seconds(value: Any, otherwise: float) -> float:
    """A time of the SDK's as epoch seconds."""
    if isinstance(value, datetime):
        return value.timestamp()
    return float(value) if isinstance(value, int | float) else otherwise
