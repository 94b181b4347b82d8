"""Orders of people to batches that wait: previewed, carried out, logged, and nothing unaccounted."""

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any

import pytest

from poller.policy.actions import Asked, Pause, Resume, Retry, Skip
from poller.state.memory.store import MemoryStore
from poller.values.errors import NotPossible, StateError, UnknownMapping
from tests.engine.house import SOFT_STOP, House, living
from tests.fakes.lambda_service import function_error
from tests.fakes.queue import loop_time

ANN = Asked("ann", "page", "order 4711 is broken")


def poisoned(event):
    keys = [record["kinesis"]["partitionKey"] for record in event["Records"]]
    return function_error() if "poison" in keys else None


@asynccontextmanager
async def stuck(*, destination=False, store=None, **parameters):
    """A stream whose first record fails, with a healthy one behind it."""
    house: Any = House(store or MemoryStore())
    stream = house.aws.stream("s")
    failed = house.queue("failed")
    parameters = {"batch_size": 1, "starting_position": "TRIM_HORIZON"} | parameters
    if destination:
        parameters["on_failure_destination"] = failed.arn
    async with living(house.mapping("a", stream=stream, **parameters), house=house) as log:
        house.aws.functions["fn"].handler = poisoned
        stream.put("poison", "1")
        stream.put("good", "2")
        house.lines = log
        await asyncio.sleep(280)
        assert house.of("a").account.delivered == 0
        yield house


async def order(house, wanted, name="a", *, dry_run=False):
    return await house.steering.act(name, wanted, ANN, dry_run=dry_run)


async def test_a_preview_changes_nothing_and_is_not_logged():
    async with stuck() as house:
        tried = len(house.invoked().all)
        for wanted in (Pause(), Retry(), Skip()):
            acted = await order(house, wanted, dry_run=True)
            assert (bool(acted.impact), acted.action) == (True, None)
        await asyncio.sleep(0.5)
        assert (len(house.invoked().all), house.of("a").state.value, await house.steering.actions()) == (
            tried,
            "running",
            [],
        )


async def test_a_retry_is_invoked_at_once():
    async with stuck() as house:
        (lane,) = house.of("a").partitions[0].lanes
        while (lane.next_try or 0) - loop_time() <= 5:  # noqa: ASYNC110  (the delays are drawn, and nobody tells)
            await asyncio.sleep(1)
        tried = len(house.invoked().all)
        house.aws.functions["fn"].handler = lambda _: None
        acted = await order(house, Retry())
        assert acted.batch.first is not None
        await asyncio.sleep(0.1)
        assert (len(house.invoked().all), house.of("a").account.delivered) == (tried + 2, 2)


async def test_a_stuck_shard_is_freed_by_skipping_the_batch_to_its_destination():
    async with stuck(destination=True) as house:
        (sentence,) = (await order(house, Skip(), dry_run=True)).impact
        assert "gets an invocation record of it" in sentence
        await order(house, Skip())
        await asyncio.sleep(0.5)
        account = house.of("a").account
        assert (account.destination, account.dropped, account.delivered) == (1, 0, 1)
        (message,) = house.queue("failed").messages.values()
        context = json.loads(message.body)["requestContext"]
        assert context["condition"] == "SkippedByHand"
        (discarded,) = [line for line in house.lines if line["event"] == "batch_discarded"]
        assert (discarded["condition"], discarded["to_destination"]) == ("SkippedByHand", True)


@pytest.mark.parametrize(("destination", "wanted"), [(False, Skip()), (True, Skip(drop=True))])
async def test_what_no_destination_hears_of_is_counted_as_dropped(destination, wanted):
    async with stuck(destination=destination) as house:
        assert "counts it as dropped" in (await order(house, wanted)).impact[0]
        await asyncio.sleep(0.5)
        account = house.of("a").account
        assert (account.destination, account.dropped, account.delivered) == (0, 1, 1)
        assert not house.queue("failed").messages


async def test_attempts_that_begin_anew_are_counted_from_the_first():
    async with stuck() as house:
        (lane,) = house.of("a").partitions[0].lanes
        before = lane.held.part.attempts
        assert before >= 5
        await order(house, Retry(reset_attempts=True))
        await asyncio.sleep(0.1)
        assert lane.held.part.attempts == 1


async def test_a_destination_that_refuses_is_asked_at_once_or_given_up_or_the_batch_is_tried_again():
    house = House()
    stream = house.aws.stream("s")
    mapping = house.mapping(
        "a",
        stream=stream,
        batch_size=1,
        starting_position="TRIM_HORIZON",
        maximum_retry_attempts=0,
        on_failure_destination=house.queue("failed").arn,
    )
    house.aws.delete_queue("failed")
    async with living(mapping, house=house):
        house.aws.functions["fn"].handler = poisoned
        for number in range(3):
            stream.put("poison", str(number))
        await asyncio.sleep(100)
        calls = house.aws.calls["SendMessage"]
        assert "asked at once" in (await order(house, Retry())).impact[0]
        await asyncio.sleep(0.1)
        assert house.aws.calls["SendMessage"] == calls + 1
        with pytest.raises(NotPossible, match="given up already"):
            await order(house, Skip())
        tried = len(house.invoked().all)
        await order(house, Retry(reset_attempts=True))
        await asyncio.sleep(0.1)
        assert len(house.invoked().all) == tried + 1
        await order(house, Skip(drop=True))
        await asyncio.sleep(0.1)
        assert house.of("a").account.dropped == 1


async def test_of_a_queue_a_refused_batch_is_tried_at_once_also_by_an_open_circuit_and_never_skipped():
    house = House()
    async with living(house.mapping("a"), house=house):
        refuse = house.aws.functions.pop("fn")
        house.queue("a").send("1")
        await asyncio.sleep(100)
        lanes = [lane for partition in house.of("a").partitions for lane in partition.lanes if lane.held]
        assert [lane.code.value for lane in lanes] == ["circuit_open"]
        with pytest.raises(NotPossible, match="dead-letter queue"):
            await order(house, Skip())
        house.aws.functions["fn"] = refuse
        await order(house, Retry())
        await asyncio.sleep(0.2)
        assert house.of("a").account.delivered == 1


async def test_of_a_queue_whose_message_failed_an_order_says_when_the_message_is_visible_again():
    house = House()
    async with living(house.mapping("a"), house=house):
        house.aws.functions["fn"].handler = lambda _: function_error()
        house.queue("a").send("1")
        await asyncio.sleep(10)
        for wanted in (Retry(), Skip()):
            with pytest.raises(NotPossible, match="1 message failed and is back in the queue, visible again at"):
                await order(house, wanted)
        with pytest.raises(NotPossible) as refused:
            await order(house, Retry())
        assert "to do" not in str(refused.value)


async def test_each_order_is_logged_with_who_and_why_also_when_it_is_too_late():
    async with stuck() as house:
        done = (await order(house, Skip())).action
        await asyncio.sleep(0.5)
        with pytest.raises(NotPossible, match="no batch waits"):
            await order(house, Skip())
        with pytest.raises(UnknownMapping):
            await order(house, Skip(), "b")
        await order(house, Pause())
        await asyncio.sleep(SOFT_STOP)
        await order(house, Resume())
        resumed, paused, skipped = await house.steering.actions()
        assert skipped == done
        assert (skipped.who, skipped.via, skipped.why, skipped.stage.value) == (*vars_of(ANN), "done")
        assert [resumed.what, paused.what, skipped.what] == ["resume", "pause", "skip"]


def vars_of(asked):
    return asked.who, asked.via, asked.why


class Refusing(MemoryStore):
    """Stores no actions, from the given number on."""

    most = 0

    async def note(self, action):
        if self.most == 0:
            raise StateError("the disk is full")
        self.most -= 1
        await super().note(action)


class Slow(MemoryStore):
    """Stores actions in the next turn of the loop."""

    async def note(self, action):
        await asyncio.sleep(0)
        await super().note(action)


async def test_what_cannot_be_logged_is_not_done():
    async with stuck(store=Refusing()) as house:
        with pytest.raises(StateError):
            await order(house, Skip())
        await asyncio.sleep(0.5)
        assert house.of("a").account.dropped == 0


async def test_what_was_done_and_cannot_be_noted_stays_in_the_log_as_begun():
    store = Refusing()
    async with stuck(store=store) as house:
        store.most = 1
        acted = await order(house, Skip())
        await asyncio.sleep(0.5)
        assert (house.of("a").account.dropped, acted.action.stage.value) == (1, "begun")
        assert [action.stage.value for action in await house.steering.actions()] == ["begun"]


async def test_a_skip_needs_one_batch_and_the_one_that_was_shown():
    house = House(Slow())
    stream = house.aws.stream("s", 2)
    async with living(house.mapping("a", stream=stream, batch_size=1, starting_position="TRIM_HORIZON"), house=house):
        house.aws.functions["fn"].handler = lambda _: function_error()
        for number in range(40):
            stream.put(f"key {number}", str(number))
        await asyncio.sleep(300)
        with pytest.raises(NotPossible, match="2 batches wait, so say which"):
            await order(house, Skip())
        one, other = [(partition.id, partition.lanes[0].held.first) for partition in house.of("a").partitions]
        with pytest.raises(NotPossible, match="has moved on"):
            await order(house, Skip(one[0], 0, other[1]))
        both = await asyncio.gather(
            order(house, Skip(one[0], 0, one[1])), order(house, Skip(one[0], 0, one[1])), return_exceptions=True
        )
        assert sorted(type(each).__name__ for each in both) == ["Acted", "NotPossible"]
        await asyncio.sleep(0.5)
        assert house.of("a").account.dropped == 1
        assert len((await order(house, Retry(), dry_run=True)).impact) == 2
        assert {action.stage.value for action in await house.steering.actions()} == {"failed", "done"}
