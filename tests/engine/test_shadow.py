"""A shadow invokes a second function with the records of a stream, and moves nothing; so does a dry run, without it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from poller.cli.dry_run import DryFunction, DryReader, dry, opened
from poller.configuration.watching import Reader
from poller.state.memory.fleet import MemoryFleet, Rows
from poller.state.memory.store import MemoryStore
from poller.state.sqlite.store import SqliteState
from tests.engine.house import House, living
from tests.engine.test_seek import delivered
from tests.fakes.aws import FakeAws
from tests.fakes.lambda_service import batch_item_failures, function_error


async def test_a_shadow_gets_what_the_mapping_gets_and_nothing_of_it_is_stored():
    store = MemoryStore()
    house = House(store)
    stream = house.aws.stream("s", 2)
    given: dict[str, Any] = {"stream": stream, "starting_position": "TRIM_HORIZON"}
    shadow = house.mapping("shadow", function="other", shadow=True, maximum_retry_attempts=0, **given)
    async with living(house.mapping("a", **given), shadow, house=house):
        house.aws.functions["other"].handler = lambda _: function_error()
        for number in range(20):
            stream.put(f"key {number}", str(number))
        await asyncio.sleep(60)
        assert (house.of("a").account.delivered, house.of("shadow").account.dropped) == (20, 20)
        assert {name for name, _ in (await store.stored()).values()} == {"a"}
        house.mappings.apply([house.mapping("a", **given)])
        await asyncio.sleep(30)
        assert [*house.wiring.builders] == ["kinesis"]
        again = replace(shadow, name="again", uuid="another")
        house.mappings.apply([house.mapping("a", **given), again])
        await asyncio.sleep(60)
        assert house.of("again").account.polled == 20


YAML = """
state: sqlite:///{folder}/state.db
api: {{listen: "127.0.0.1:8642"}}
event_source_mappings:
  - {{name: orders, event_source_arn: "arn:aws:sqs:eu-west-1:123456789012:orders", function_name: ship}}
  - name: clicks
    event_source_arn: {stream}
    function_name: count
    starting_position: TRIM_HORIZON
    destination_config: {{on_failure: {{destination: "arn:aws:sqs:eu-west-1:123456789012:failed"}}}}
"""


async def test_a_dry_run_goes_on_where_the_daemon_is_invokes_nothing_and_leaves_the_state_alone(tmp_path, capsys):
    house: Any = House()
    stream = house.aws.stream("s")
    (tmp_path / "poller.yaml").write_text(YAML.format(folder=tmp_path, stream=stream.arn), encoding="utf-8")
    reader = DryReader([tmp_path / "poller.yaml"], {})
    configuration = reader.read()
    queue, clicks = configuration.mappings
    assert (configuration.settings.state, configuration.settings.api.listen) == ("memory:", "127.0.0.1:0")
    assert (queue.enabled, clicks.enabled, clicks.on_failure_destination) == (False, True, None)
    numbers = [stream.put("key", str(number)) for number in range(5)]
    real = house.mapping("clicks", stream=stream, uuid=clicks.uuid, starting_position="TRIM_HORIZON", batch_size=2)
    state = await SqliteState.opened(tmp_path / "state.db")
    house = House(state, house.aws)
    async with living(real, house=house):
        await asyncio.sleep(10)
        assert delivered(house) == numbers
    state.close()
    before = (tmp_path / "state.db").read_bytes()
    plain = Reader([tmp_path / "poller.yaml"], {}).read()
    store = await asyncio.to_thread(opened, configuration, plain)
    assert "orders rests" in capsys.readouterr().err
    for number in range(3):
        stream.put("key", str(number))
    again: Any = House(store, house.aws, watch=DryFunction)
    async with living(dry(real), house=again) as log:
        await asyncio.sleep(10)
        assert (again.of("clicks").account.delivered, len(again.invoked().all)) == (3, len(house.invoked().all))
        assert [line["mapping"] for line in log if line["event"] == "dry_run_batch"] == ["clicks"] * 2
    assert (tmp_path / "state.db").read_bytes() == before


def with_shadow(house, name, **parameters):
    """A mapping whose batches are copied to `next`."""
    shadow = house.mapping("other", function="next").function
    return house.mapping(name, shadow_function=shadow, **parameters)


def shadowed(house: Any, name: str = "a") -> tuple[int, int, int]:
    counts = house.of(name).shadow.counts()
    return counts["succeeded"], counts["failed"], counts["left_out"]


@pytest.mark.parametrize("partial", [False, True])
async def test_a_second_function_gets_a_copy_of_each_batch_of_a_queue_and_its_answers_settle_nothing(partial):
    house: Any = House()
    given: dict[str, Any] = {"function_response_types": ("ReportBatchItemFailures",)} if partial else {}

    def handler(event):
        broken = [one["messageId"] for one in event["Records"] if one["body"] == "3"]
        if not broken:
            return None
        return batch_item_failures(*broken) if partial else function_error("KeyError", "the new code")

    async with living(with_shadow(house, "a", batch_size=1, **given), house=house) as log:
        house.aws.functions["next"].handler = handler
        for number in range(8):
            house.queue("a").send(str(number))
        await asyncio.sleep(60)
        assert (house.of("a").account.delivered, len(house.queue("a").messages)) == (8, 0)
        assert shadowed(house) == (7, 1, 0)
        said = house.of("a").shadow.last_failure
        assert (("1 of 1 record failed" if partial else "the new code") in said, house.of("a").last_failure) == (
            True,
            None,
        )
        events = [[one.event for one in house.invoked(name).all] for name in ("fn", "next")]
        assert sorted(events[0]) == sorted(events[1])
        assert [line["mapping"] for line in log if line["event"] == "shadow_failed"] == ["a"]


async def test_a_shadow_that_hangs_holds_nobody_up_and_what_it_does_not_get_is_counted():
    house: Any = House()
    async with living(with_shadow(house, "a", batch_size=1), house=house):
        house.aws.functions["next"].delay = 10_000
        for number in range(30):
            house.queue("a").send(str(number))
        await asyncio.sleep(20)
        assert (house.of("a").account.delivered, shadowed(house)) == (30, (0, 0, 20))
        await asyncio.sleep(30)
        assert shadowed(house) == (0, 10, 20), "the others ran out of the function's time"
        house.queue("a").send("last")
        await asyncio.sleep(5)
    assert shadowed(house) == (0, 10, 21), "one that is under way at the end is cut off"


async def test_a_batch_that_the_own_function_did_not_get_is_not_copied_and_a_shadow_that_is_away_is_left_out():
    house: Any = House()
    async with living(with_shadow(house, "a"), house=house):
        own, shadow = house.aws.functions.pop("fn"), house.aws.functions.pop("next")
        house.queue("a").send("1")
        await asyncio.sleep(10)
        assert shadowed(house) == (0, 0, 0)
        house.aws.functions["fn"] = own
        await asyncio.sleep(100)
        assert (house.of("a").account.delivered, shadowed(house)) == (1, (0, 0, 1))
        house.aws.functions["next"] = shadow
        house.mappings.apply([with_shadow(house, "a", batch_size=5)])
        await asyncio.sleep(30)
        house.queue("a").send("2")
        await asyncio.sleep(100)
        assert shadowed(house) == (1, 0, 1), "the counts outlive a change"
        house.mappings.apply([house.mapping("a")])
        await asyncio.sleep(30)
        assert house.of("a").shadow is None
        assert {key.key for key, _ in house.wiring.functions.built} == {"fn"}


async def test_every_member_of_a_fleet_copies_what_it_delivers():
    rows, aws = Rows(), FakeAws()
    houses: Any = [House(aws=aws, fleet=MemoryFleet(rows)) for _ in range(2)]
    stream = aws.stream("s", 4)
    given: dict[str, Any] = {"stream": stream, "starting_position": "TRIM_HORIZON", "batch_size": 1}
    first, second = (with_shadow(house, "a", **given) for house in houses)
    async with living(first, house=houses[0]), living(second, house=houses[1]):
        await asyncio.sleep(60)
        for number in range(40):
            stream.put(f"key {number}", str(number))
        await asyncio.sleep(60)
        each = [(house.of("a").account.delivered, shadowed(house)) for house in houses]
        assert [(sum(shadow), shadow[1]) for _, shadow in each] == [(count, 0) for count, _ in each]
        assert (sum(count for count, _ in each), min(count for count, _ in each) > 0) == (40, True)
