"""Looking at records: nothing is consumed, what is hidden stays hidden, and every bound holds."""

import asyncio
import base64
import json
from typing import Any

import pytest

from poller.policy.actions import Asked, Pause, Peek
from poller.policy.beside import From
from poller.values.errors import NotPossible
from tests.engine.house import SOFT_STOP, House, living
from tests.engine.test_redriving import stuck_stream, with_dead_letters
from tests.engine.test_seek import make, put
from tests.fakes.faults import ACCESS_DENIED
from tests.fakes.lambda_service import function_error
from tests.fakes.queue import loop_time
from tests.virtual_time import EPOCH

ANN = Asked("ann", "api", "what is it?")


async def look(house: Any, name: str = "a", **wanted: Any) -> Any:
    preview = await house.steering.act(name, Peek(**wanted), ANN, dry_run=True)
    assert preview.impact
    assert preview.result == {}
    return (await house.steering.act(name, Peek(**wanted), ANN, dry_run=False)).result


async def test_what_a_mapping_reads_next_is_shown_and_nothing_moves():
    house = House()
    stream = house.aws.stream("s")
    async with living(house.mapping("a", stream=stream, batch_size=1, starting_position="TRIM_HORIZON"), house=house):
        house.aws.functions["fn"].handler = lambda event: (
            function_error() if event["Records"][0]["kinesis"]["partitionKey"] == "bad" else None
        )
        stream.put("good", "1")
        await asyncio.sleep(10)
        bad = stream.put("bad", json.dumps({"n": 2}))
        stream.put("good", "3")
        await asyncio.sleep(30)
        position = house.of("a").partitions[0].position
        found = await look(house, event=True)
        assert [one["id"] for one in found["records"]][:1] == [bad]
        first = found["records"][0]
        assert (json.loads(first["payload"]), first["packed"], first["key"], found["looked_at"]) == (
            {"n": 2},
            ["JSON"],
            "bad",
            2,
        )
        data = first["event"]["Records"][0]["kinesis"]["data"]
        assert json.loads(base64.b64decode(data)) == {"n": 2}
        assert any('"n": 2' in line for line in found["lines"])
        assert house.of("a").partitions[0].position == position
        assert [one.what for one in await house.steering.actions()] == ["peek"]


@pytest.mark.parametrize("kind", ["kinesis", "dynamodb"])
async def test_from_the_oldest_from_an_instant_and_from_a_record(kind):
    house = House()
    stream = make(house, kind)
    async with living(house.mapping("a", stream=stream, starting_position="TRIM_HORIZON"), house=house):
        numbers = put(stream, ["a", "b"])
        await asyncio.sleep(10)
        middle = EPOCH + loop_time()
        await asyncio.sleep(10)
        numbers += put(stream, ["c"])
        await asyncio.sleep(10)
        assert house.of("a").account.delivered == 3
        begins = [None, From(), From("AT_TIMESTAMP", middle), From("AT_SEQUENCE_NUMBER", sequence_number=numbers[1])]
        found = [[one["id"] for one in (await look(house, begin=begin))["records"]] for begin in begins]
        assert found == [[], numbers, numbers[2:], numbers[1:]]
        assert len((await look(house, begin=From(), most=2))["records"]) == 2


async def test_a_pattern_looks_further_and_never_at_what_is_hidden():
    house = House()
    stream = house.aws.stream("s")
    mapping = house.mapping(
        "a", stream=stream, starting_position="TRIM_HORIZON", redact=("Records.kinesis.data.email",)
    )
    async with living(mapping, house=house):
        for number in range(300):
            stream.put(f"key {number}", json.dumps({"n": number, "email": "ann@example.com"}))
        found = await look(house, begin=From(), pattern='{"data": {"n": [250]}}')
        assert ([json.loads(one["payload"]) for one in found["records"]], found["looked_at"]) == (
            [{"n": 250, "email": "REDACTED"}],
            300,
        )
        assert (await look(house, begin=From(), pattern='{"data": {"email": ["ann@example.com"]}}'))["records"] == []
        with pytest.raises(NotPossible, match="the pattern is none"):
            await look(house, pattern="{")


async def test_what_is_shown_is_bounded():
    house = House()
    stream = house.aws.stream("s")
    async with living(house.mapping("a", stream=stream, starting_position="TRIM_HORIZON"), house=house):
        for _ in range(10):
            stream.put("key", "x" * 500_000)
        found = await look(house, begin=From(), most=100, event=True)
        assert len(found["records"]) == 2
        assert all(len(one["payload"]) == 8000 for one in found["records"])


async def test_a_shard_has_to_be_said_where_there_are_several_and_it_has_to_be_one():
    house = House()
    stream = house.aws.stream("s", 2)
    async with living(house.mapping("a", stream=stream, starting_position="TRIM_HORIZON"), house=house):
        with pytest.raises(NotPossible, match="say which shard is meant: shardId-"):
            await look(house)
        with pytest.raises(NotPossible, match="say which shard is meant"):
            await look(house, partition="nonsense")
        with pytest.raises(NotPossible, match="on-failure destination"):
            await look(house, which="dead_letters")


async def test_dead_letters_are_received_and_given_back():
    house = House()
    dead = house.queue("dead")
    house.aws.queue("q", visibility_timeout=30, dead_letter_queue=dead, max_receive_count=1)
    async with living(house.mapping("a", queue="q"), house.mapping("b"), house=house):
        dead.send(json.dumps({"n": 1}))
        found = await look(house, which="dead_letters")
        assert [json.loads(one["payload"]) for one in found["records"]] == [{"n": 1}]
        preview = await house.steering.act("a", Peek(which="dead_letters"), ANN, dry_run=True)
        assert "counts as a receive" in preview.impact[0]
        # it is visible at once
        assert len((await look(house, which="dead_letters"))["records"]) == 1
        with pytest.raises(NotPossible, match="has no dead-letter queue"):
            await look(house, "b", which="dead_letters")


async def test_a_fifo_queue_in_work_is_not_received_from():
    house = House()
    queue = house.aws.queue("q.fifo", visibility_timeout=30)
    async with living(house.mapping("a", queue="q.fifo"), house=house):
        with pytest.raises(NotPossible, match="pause the mapping first"):
            await look(house)
        await house.steering.act("a", Pause(), ANN, dry_run=False)
        await asyncio.sleep(SOFT_STOP)
        queue.send("1", group="g")
        assert [one["key"] for one in (await look(house))["records"]] == ["g"]


async def test_a_fifo_dead_letter_queue_is_looked_at_while_its_mapping_works():
    house = House()
    mapping, dead = with_dead_letters(house, 4, fifo=True)
    async with living(mapping, house=house):
        assert (await look(house, which="dead_letters"))["looked_at"] == len(dead.messages) == 4


async def test_more_messages_than_one_receive_gives_are_looked_at_once_each():
    house = House()
    mapping, dead = with_dead_letters(house, 15)
    async with living(mapping, house=house):
        for _ in range(2):
            found = await look(house, which="dead_letters", most=20)
            assert len({one["id"] for one in found["records"]}) == found["looked_at"] == 15
        pattern = '{"body": {"n": [13]}}'
        found = await look(house, which="dead_letters", most=1, pattern=pattern)
        assert [json.loads(one["payload"]) for one in found["records"]] == [{"n": 13}]
        assert len(dead.messages) == 15


async def test_a_destination_is_looked_at_with_the_records_that_it_names():
    house: Any = House()
    async with living(stuck_stream(house, 0, batch_size=1), house=house):
        for number in range(4):
            house.stream.put("key", json.dumps({"n": number}))
            await asyncio.sleep(2)
        await asyncio.sleep(30)
        house.stream.trim(keep=3)
        for _ in range(2):
            found = await look(house, which="destination", event=True)
            assert [json.loads(one["payload"])["n"] for one in found["records"]] == [1, 2, 3]
            assert (found["gone"], "in the stream: 1 that the destination names" in found["lines"][-1]) == (1, True)
            assert found["records"][0]["event"]["Records"][0]["eventSource"] == "aws:kinesis"
        house.failed.send("{}")
        found = await look(house, which="destination")
        assert (len(found["records"]), "is no invocation record" in found["lines"][-1]) == (3, True)
        assert len(house.failed.messages) == 5
        assert house.of("a").account.delivered == 0


async def test_a_look_that_cannot_give_back_says_how_long_it_hides():
    house = House()
    mapping, dead = with_dead_letters(house, 2)
    async with living(mapping, house=house):
        house.aws.faults.script("ChangeMessageVisibilityBatch", ACCESS_DENIED)
        with pytest.raises(NotPossible, match="hidden for 20 s more"):
            await look(house, which="dead_letters")
        await asyncio.sleep(21)
        assert (await look(house, which="dead_letters"))["looked_at"] == len(dead.messages) == 2


async def test_a_look_says_how_much_of_what_there_is_it_shows():
    house: Any = House()
    mapping, _ = with_dead_letters(house, 15)
    async with living(mapping, house=house):
        found = await look(house, which="dead_letters")
        assert (found["holds"], found["lines"][-1]) == (15, "10 messages shown; dead holds about 15 messages")
        found = await look(house, which="dead_letters", most=1, pattern='{"body": {"n": [13]}}')
        assert found["lines"][-1].startswith("1 message shown, of ")


async def test_a_look_at_a_destination_says_how_many_invocation_records_are_there():
    house: Any = House()
    async with living(stuck_stream(house, 0, batch_size=1), house=house):
        for number in range(12):
            house.stream.put("key", json.dumps({"n": number}))
        await asyncio.sleep(60)
        found = await look(house, which="destination")
        assert (found["holds"], found["lines"][-1]) == (
            12,
            "10 records shown; failed holds about 12 invocation records",
        )
        house.aws.faults.always("GetQueueAttributes", ACCESS_DENIED)
        found = await look(house, which="destination", most=4)
        assert (found["holds"], found["lines"][-1]) == (None, "4 records shown, as many as were asked for")
        found = await look(house, begin=From(), most=5)
        assert (found["holds"], found["lines"][-1]) == (None, "5 records shown, as many as were asked for")
