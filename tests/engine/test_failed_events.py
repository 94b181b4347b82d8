"""Failed events are kept within their bounds, redacted, and run again without any effect on the mapping."""

import asyncio
import json
import random
from typing import Any

import pytest

from poller.configuration.model.failed_events import FailedEventsSettings
from poller.policy.actions import Asked, Rerun
from poller.state.memory.store import MemoryStore
from poller.values.errors import NotPossible, StateError
from tests.engine.house import House, living
from tests.fakes.lambda_service import function_error

ANN = Asked("ann", "api", "is it mended?")
SETTINGS = FailedEventsSettings(keep=3)


def fails(_event):
    return function_error("KeyError", "no customer")


def stuck(house, *, settings=SETTINGS, records=6, **parameters):
    """A stream of a mapping whose function fails everything, and the mapping."""
    house.stream, house.records = house.aws.stream("s"), records
    given: dict[str, Any] = {"batch_size": 1, "maximum_retry_attempts": 0, "starting_position": "TRIM_HORIZON"}
    house.settings = settings
    return house.mapping("a", stream=house.stream, **{**given, **parameters})


async def kept_by(house):
    await asyncio.sleep(60)
    return await house.failed_events.all()


async def begun(house, seconds=30):
    house.aws.functions["fn"].handler = fails
    house.failed_events.apply(house.settings)
    for number in range(house.records):
        house.stream.put("key", json.dumps({"n": number, "email": "ann@example.com"}))
    await asyncio.sleep(seconds)


async def test_the_latest_are_kept_within_the_bound_redacted():
    house: Any = House()
    mapping = stuck(house, redact=("Records.kinesis.data.email",))
    async with living(mapping, house=house):
        await begun(house)
        kept = await kept_by(house)
        assert len(kept) == 3
        assert {(one.mapping, one.error, one.records, one.redacted) for one in kept} == {("a", "function_error", 1, 1)}
        _, event = await house.failed_events.one(kept[0].id)
        assert b"ann@example" not in event
        assert json.loads(event)["Records"][0]["eventSource"] == "aws:kinesis"
        house.failed_events.apply(FailedEventsSettings(keep=0))
        assert await kept_by(house) == []


async def test_none_is_kept_where_nobody_asked_for_it():
    house: Any = House()
    mapping = stuck(house, settings=FailedEventsSettings())
    async with living(mapping, house=house):
        await begun(house)
        assert await kept_by(house) == []
        with pytest.raises(NotPossible, match=r"failed_events\.keep is 0"):
            await house.steering.act("a", Rerun("0"), ANN, dry_run=True)


async def test_a_batch_that_fails_again_and_again_is_kept_once_and_a_large_one_not():
    house: Any = House()
    mapping = stuck(house, records=1, maximum_retry_attempts=-1)
    large = house.aws.stream("large")
    other = house.mapping("b", stream=large, starting_position="TRIM_HORIZON")
    async with living(mapping, other, house=house):
        await begun(house, 300)
        large.put("key", random.Random(1).randbytes(400_000).hex())
        await asyncio.sleep(60)
        assert len(house.invoked().all) > 10
        assert [one.mapping for one in await kept_by(house)] == ["a"]


async def test_a_rerun_invokes_once_and_moves_nothing_also_with_another_function():
    house: Any = House()
    mapping = stuck(house, records=1, maximum_retry_attempts=-1)
    house.aws.function("other")
    async with living(mapping, house.mapping("b", function="other"), house=house):
        await begun(house)
        (event,) = await kept_by(house)
        position, account = house.of("a").partitions[0].position, house.of("a").account.counters()
        preview = await house.steering.act("a", Rerun(event.id), ANN, dry_run=True)
        assert ("nothing is settled" in preview.impact[0], preview.result) == (True, {})
        acted = await house.steering.act("a", Rerun(event.id), ANN, dry_run=False)
        assert acted.result["settled"] is False
        assert acted.result["lines"][0].startswith("failed: function_error KeyError")
        house.aws.functions["fn"].handler = lambda _: None
        acted = await house.steering.act("a", Rerun(event.id), ANN, dry_run=False)
        assert acted.result["settled"] is True
        assert "succeeded" in acted.action.effect
        assert (house.of("a").partitions[0].position, account) == (position, house.of("a").account.counters())
        with pytest.raises(NotPossible, match="there is no function nobody"):
            await house.steering.act("a", Rerun(event.id, "nobody"), ANN, dry_run=True)
        with pytest.raises(NotPossible, match="is of the mapping a"):
            await house.steering.act("b", Rerun(event.id), ANN, dry_run=True)
        assert [one.what for one in await house.steering.actions()] == ["rerun", "rerun"]


class Full(MemoryStore):
    """Keeps no events, and cannot be asked for them."""

    async def keep(self, kept):
        raise StateError("the disk is full")


async def test_a_store_that_cannot_keep_an_event_disturbs_no_delivery():
    house: Any = House(Full())
    mapping = stuck(house, records=3, on_failure_destination=house.queue("failed").arn)
    async with living(mapping, house=house) as log:
        await begun(house)
        assert (await kept_by(house), house.of("a").account.destination) == ([], 3)
        assert "failed_event_not_kept" in {line["event"] for line in log}


async def test_what_is_damaged_in_the_store_is_said():
    house: Any = House()
    async with living(stuck(house, records=1), house=house):
        await begun(house)
        (event,) = await kept_by(house)
        for about, body in ((event.written(), "damaged"), ("{}", "")):
            kept = await house.store.kept_one("failed", event.id)
            object.__setattr__(kept, "about", about)
            object.__setattr__(kept, "body", body)
            with pytest.raises(StateError, match="is damaged in the store"):
                await house.failed_events.one(event.id)
        await asyncio.sleep(10)
        assert await house.failed_events.shown() == []
