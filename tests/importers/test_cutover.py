"""A mapping of Lambda's ends there and begins here: what it did not process is left out in no case."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from poller.importers.cutover import ended, look
from poller.values.errors import EnvironmentProblem, ServiceError

SOURCE = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
NOW = 1_767_225_600.0


@dataclass
class Lambda:
    """A mapping in Lambda, and what CloudWatch knows of its function."""

    state: str = "Enabled"
    ages: list[float] = field(default_factory=lambda: [1500.0, 90_000.0])
    """Milliseconds."""
    looks_until_disabled: int = 3
    modified: float = NOW - 1e6
    asked: list[str] = field(default_factory=list)
    windows: list[tuple[float, float]] = field(default_factory=list)
    refuses: str = ""

    async def call(self, _service: str, method: str, **arguments: Any) -> dict[str, Any]:
        self.asked.append(method)
        if method == self.refuses:
            raise ServiceError(400, "AccessDeniedException", "no")
        if method == "get_metric_statistics":
            assert arguments["Dimensions"] == [{"Name": "FunctionName", "Value": "count"}]
            self.windows.append((arguments["StartTime"].timestamp(), arguments["EndTime"].timestamp()))
            return {"Datapoints": [{"Maximum": age} for age in self.ages]}
        if method == "update_event_source_mapping":
            assert arguments["Enabled"] is False
            self.state = "Disabling"
        elif self.state == "Disabling":
            self.looks_until_disabled -= 1
            if not self.looks_until_disabled:
                self.state, self.modified = "Disabled", NOW + 4
        return {
            "UUID": "u",
            "State": self.state,
            "EventSourceArn": SOURCE,
            "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:count:live",
            "LastModified": datetime.fromtimestamp(self.modified, UTC),
        }


async def cut(there: Lambda, age: float | None = None) -> Any:
    return await ended(there.call, await look(there.call, "u", SOURCE), age, lambda: NOW)


async def test_it_begins_at_the_end_less_the_highest_age_and_a_minute():
    there = Lambda()
    end = await cut(there)
    # the age was asked before anything was changed, the instant is that of the request, which is before the end
    assert there.asked[:3] == ["get_event_source_mapping", "get_metric_statistics", "update_event_source_mapping"]
    assert there.windows == [(NOW - 900, NOW + 60)]
    assert (end.at, end.age, end.begin) == (NOW, 90.0, NOW - 150)
    assert there.state == "Disabled"


async def test_one_that_is_disabled_ended_when_it_was_last_changed():
    there = Lambda(state="Disabled", modified=NOW - 5000)
    end = await cut(there)
    assert "update_event_source_mapping" not in there.asked
    assert there.windows == [(NOW - 5900, NOW - 4940)]
    assert end.begin == NOW - 5000 - 150


async def test_one_that_is_being_disabled_is_waited_for():
    there = Lambda(state="Disabling", modified=NOW - 10)
    assert (await cut(there, 0.0)).begin == NOW - 60
    assert there.asked.count("update_event_source_mapping") == 0


async def test_an_age_that_nobody_knows_has_to_be_given_and_changes_nothing_before():
    there = Lambda(ages=[])
    with pytest.raises(EnvironmentProblem, match="Say with --age"):
        await cut(there)
    assert there.state == "Enabled"
    assert (await cut(there, 600.0)).begin == NOW - 660


async def test_one_that_does_not_end_is_told_and_can_be_cut_over_later():
    there = Lambda(looks_until_disabled=10_000)
    began = asyncio.get_running_loop().time()
    with pytest.raises(EnvironmentProblem, match=r"within 15 minutes: it is Disabling\. Run this command again"):
        await cut(there)
    assert asyncio.get_running_loop().time() - began == 900


async def test_a_mapping_of_another_source_is_left_alone():
    there = Lambda()
    with pytest.raises(EnvironmentProblem, match=f"reads {SOURCE}, and the mapping here arn:other"):
        await look(there.call, "u", "arn:other")
    assert there.state == "Enabled"


@pytest.mark.parametrize("method", ["get_event_source_mapping", "get_metric_statistics", "update_event_source_mapping"])
async def test_what_is_refused_is_told_with_the_call(method):
    with pytest.raises(EnvironmentProblem, match=f"does not answer {method}: AccessDenied"):
        await cut(Lambda(refuses=method))
