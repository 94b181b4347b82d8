"""What another configuration does to the mappings that run, and what it leaves alone."""

import asyncio
from dataclasses import replace

import pytest

from poller.configuration.model.aws import AwsSettings
from poller.configuration.model.functions import FunctionConfig
from poller.configuration.reading.secrets import Secret
from poller.functions.web.options import WebOptions
from poller.policy.progress import StreamProgress
from poller.ports.status import ReasonCode
from poller.sources.sqs.building import QueueBuilder
from tests.engine.house import SOFT_STOP, House, living
from tests.fakes.faults import LOST_BEFORE
from tests.fakes.lambda_service import function_error
from tests.fakes.queue import loop_time


def changes_of(changes):
    return changes.added, changes.changed, changes.removed, changes.unchanged


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (lambda house, a, b: [a, b], ([], [], [], 2)),
        (lambda house, a, b: [b, a], ([], [], [], 2)),
        (lambda house, a, b: [a], ([], [], ["b"], 1)),
        (lambda house, a, b: [], ([], [], ["a", "b"], 0)),
        (lambda house, a, b: [a, b, house.mapping("c")], (["c"], [], [], 2)),
        (lambda house, a, b: [a, replace(b, batch_size=3)], ([], ["b"], [], 1)),
        (lambda house, a, b: [a, replace(b, enabled=False)], ([], ["b"], [], 1)),
        (lambda house, a, b: [a, replace(b, name="c")], ([], ["c"], [], 1)),
        (lambda house, a, b: [a, replace(b, uuid="another")], (["b"], [], ["b"], 1)),
        (lambda house, a, b: [replace(a, name="b"), replace(b, name="a")], ([], ["b", "a"], [], 0)),
        (lambda house, a, b: [a, replace(b, aws=AwsSettings(profile="ops"))], ([], ["b"], [], 1)),
        (lambda house, a, b: [a, replace(b, function=replace(b.function, timeout_seconds=9))], ([], ["b"], [], 1)),
    ],
    ids=[
        "the same",
        "in another order",
        "one removed",
        "all removed",
        "one added",
        "a parameter",
        "disabled",
        "a name, of the same uuid",
        "a uuid, of the same name",
        "names exchanged",
        "aws",
        "the function",
    ],
)
async def test_only_what_changed_restarts(after, expected):
    house = House()
    a, b = house.mapping("a"), house.mapping("b")
    async with living(a, b, house=house) as log:
        wanted = after(house, a, b)
        assert changes_of(house.mappings.apply(wanted)) == expected
        await asyncio.sleep(SOFT_STOP)
        assert house.states() == {one.name: "running" if one.enabled else "disabled" for one in wanted}
        assert [status.name for status in house.status.mappings] == [one.name for one in wanted]
        started = [line["mapping"] for line in log if line["event"] == "mapping_started"]
        begun_again = [name for name in expected[0] + expected[1] if house.of(name).state == "running"]
        assert sorted(started) == sorted(["a", "b", *begun_again])


async def test_other_tags_show_at_once_and_restart_nothing():
    house = House()
    a = house.mapping("a")
    async with living(a, house=house) as log:
        for team in ("shop", "sales"):
            assert changes_of(house.mappings.apply([replace(a, tags={"team": team})])) == ([], ["a"], [], 0)
            assert dict(house.of("a").tags) == {"team": team}
        await asyncio.sleep(SOFT_STOP)
        assert [line["event"] for line in log].count("mapping_started") == 1
        house.mappings.apply([replace(a, batch_size=3, tags={"team": "sales"})])
        await asyncio.sleep(SOFT_STOP)
        assert dict(house.of("a").tags) == {"team": "sales"}


async def test_what_did_not_change_works_on_while_another_restarts():
    house = House()
    a, b = house.mapping("a"), house.mapping("b")
    async with living(a, b, house=house):
        house.mappings.apply([a, replace(b, batch_size=1)])
        receives = house.aws.calls["ReceiveMessage"]
        house.queue("a").send("1")
        await asyncio.sleep(1)
        assert house.of("a").account.delivered == 1
        assert house.aws.calls["ReceiveMessage"] == receives + 1, "its long poll was not cut"
        reason = house.of("b").reason
        assert (house.of("b").state, reason.code) == ("stopping", ReasonCode.STOPPING)
        assert "its configuration changed" in reason.text


async def test_a_changed_mapping_runs_by_its_new_parameters_and_counts_on():
    house = House()
    a = house.mapping("a", batch_size=1)
    async with living(a, house=house):
        for number in range(3):
            house.queue("a").send(str(number))
        await asyncio.sleep(1)
        house.mappings.apply([replace(a, batch_size=10, maximum_batching_window_in_seconds=2, tags={"new": "yes"})])
        await asyncio.sleep(SOFT_STOP)
        for number in range(4):
            house.queue("a").send(str(number))
        await asyncio.sleep(5)
        assert house.of("a").account.delivered == 7
        assert [len(each.records) for each in house.invoked().all] == [1, 1, 1, 4]
        assert house.of("a").tags == {"new": "yes"}


async def test_the_invocation_that_runs_is_finished_first():
    house = House()
    a = house.mapping("a")
    async with living(a, house=house):
        house.aws.functions["fn"].delay = 25.0
        house.queue("a").send("1")
        await asyncio.sleep(1)
        house.mappings.apply([replace(a, batch_size=1)])
        await asyncio.sleep(SOFT_STOP)
        assert house.of("a").state == "stopping"
        await asyncio.sleep(5)
        assert (house.of("a").state, house.of("a").account.delivered) == ("running", 1)
        assert (len(house.invoked().all), house.queue("a").messages) == (1, {})


async def test_reloads_in_a_row_end_in_the_last_one():
    house = House()
    a = house.mapping("a")
    async with living(a, house=house) as log:
        for size in (1, 2, 3):
            house.mappings.apply([replace(a, batch_size=size)])
        house.mappings.apply([])
        house.mappings.apply([replace(a, batch_size=4)])
        await asyncio.sleep(SOFT_STOP)
        assert house.states() == {"a": "running"}
        assert len([line for line in log if line["event"] == "mapping_started"]) == 2, "and only once for all of them"
        for number in range(8):
            house.queue("a").send(str(number))
        await asyncio.sleep(1)
        assert max(len(each.records) for each in house.invoked().all) <= 4


async def test_a_removed_mapping_gives_back_what_it_has_and_says_how_it_ended():
    house = House()
    a = house.mapping("a", batch_size=100, maximum_batching_window_in_seconds=300)
    async with living(a, house=house) as log:
        house.queue("a").send("1")
        await asyncio.sleep(1)
        house.mappings.apply([])
        assert house.states() == {"a": "stopping"}
        await asyncio.sleep(SOFT_STOP)
        assert house.states() == {}
        assert house.queue("a").counts() == (1, 0, 0)
        (line,) = (line for line in log if line["event"] == "mapping_removed")
        assert line["account"] | {"polled": 1, "returned": 1, "unaccounted": 0} == line["account"]


async def test_two_mappings_of_one_name_are_told_apart_while_the_removed_one_ends():
    house = House()
    a = house.mapping("a")
    async with living(a, house=house):
        house.mappings.apply([replace(a, uuid="another")])
        assert [status.name for status in house.status.mappings] == ["a", "a (uuid of a)"]
        await asyncio.sleep(SOFT_STOP)
        assert house.states() == {"a": "running"}


async def test_a_concurrency_that_was_lowered_holds_at_once_though_the_old_invocations_still_run():
    """One limit for the function, whoever uses it, before and after."""
    house = House()
    a, b = (house.mapping(name, function_concurrency=4, batch_size=1) for name in "ab")
    async with living(a, b, house=house):
        house.aws.functions["fn"].delay = 10.0
        for number in range(20):
            house.queue("a").send(str(number))
            house.queue("b").send(str(number))
        await asyncio.sleep(1)
        assert house.invoked().running == 4
        lower = [replace(one, function=replace(one.function, concurrency=1)) for one in (a, b)]
        house.mappings.apply(lower)
        await asyncio.sleep(11)
        assert house.invoked().running <= 1
        for _ in range(20):
            await asyncio.sleep(5)
            assert house.invoked().running <= 1
        assert house.invoked().peak == 4


async def test_what_nobody_uses_any_more_is_closed_and_what_is_used_on_stays_open():
    house = House()
    ops, dev = AwsSettings(profile="ops"), AwsSettings(profile="dev")
    a, b = house.mapping("a", aws=ops), house.mapping("b", aws=ops)
    async with living(a, b, house=house):
        assert house.local.open == {(ops, "eu-west-1")}
        house.mappings.apply([replace(a, batch_size=1), b])
        await asyncio.sleep(SOFT_STOP)
        assert house.local.opened == [(ops, "eu-west-1")], "a restart opens nothing anew"
        c = house.mapping("c", aws=dev)
        house.mappings.apply([b, c])
        await asyncio.sleep(SOFT_STOP)
        assert house.local.open == {(ops, "eu-west-1"), (dev, "eu-west-1")}
        house.mappings.apply([c])
        await asyncio.sleep(SOFT_STOP)
        assert house.local.open == {(dev, "eu-west-1")}
    assert not house.local.open


async def test_a_lower_limit_of_retries_frees_a_stuck_shard_in_seconds():
    """By the attempts that were made before."""
    house = House()
    stream = house.aws.stream("s")
    a = house.mapping("a", stream=stream, batch_size=1, starting_position="TRIM_HORIZON")
    async with living(a, house=house):
        house.aws.functions["fn"].handler = lambda event: (
            function_error() if event["Records"][0]["kinesis"]["partitionKey"] == "poison" else None
        )
        stream.put("poison", "1")
        stream.put("good", "2")
        await asyncio.sleep(600)
        tried = len(house.invoked().all)
        assert (house.of("a").account.delivered, tried > 5) == (0, True)
        changed_at = loop_time()
        house.mappings.apply([replace(a, maximum_retry_attempts=3)])
        while not house.of("a").account.delivered:  # noqa: ASYNC110 - virtual time; nobody tells
            await asyncio.sleep(0.1)
        assert loop_time() - changed_at < 5
        assert house.of("a").account.dropped == 1
        assert len(house.invoked().all) == tried + 1, "the stuck record was not tried again"


async def test_retries_go_on_counting_where_they_were():
    house = House()
    stream = house.aws.stream("s")
    a = house.mapping("a", stream=stream, maximum_retry_attempts=6, starting_position="TRIM_HORIZON")
    async with living(a, house=house):
        house.aws.functions["fn"].handler = lambda _: function_error()
        stream.put("poison", "1")
        await asyncio.sleep(6)
        for number in range(3):
            house.mappings.apply([replace(a, tags={"turn": str(number)})])
            await asyncio.sleep(8)
        await asyncio.sleep(300)
        assert house.of("a").account.dropped == 1
        assert len(house.invoked().all) == 7, "once and six retries"


async def test_a_removed_mapping_of_a_stream_keeps_its_position_and_goes_on_from_there():
    house = House()
    stream = house.aws.stream("s")
    a = house.mapping("a", stream=stream, starting_position="TRIM_HORIZON")
    async with living(a, house=house):
        stream.put("k", "1")
        await asyncio.sleep(3)
        house.mappings.apply([])
        await asyncio.sleep(SOFT_STOP)
        assert isinstance(await house.store.load(a.uuid), StreamProgress)
        stream.put("k", "2")
        house.mappings.apply([a])
        await asyncio.sleep(5)
        assert house.of("a").account.delivered == 1
        assert len(house.invoked().all) == 2


async def test_a_mapping_of_another_name_does_not_silently_read_a_stream_anew():
    house = House()
    stream = house.aws.stream("s")
    a = house.mapping("a", stream=stream, starting_position="TRIM_HORIZON")
    async with living(a, house=house):
        stream.put("k", "1")
        await asyncio.sleep(3)
        b = house.mapping("b", stream=stream, starting_position="TRIM_HORIZON")
        house.mappings.apply([b])
        await asyncio.sleep(SOFT_STOP)
        assert house.of("b").reason.code == ReasonCode.POSITION_LEFT
        house.mappings.apply([replace(b, uuid=a.uuid)])
        await asyncio.sleep(SOFT_STOP)
        assert house.states() == {"b": "running"}
        assert len(house.invoked().all) == 1


async def test_a_bug_of_one_life_is_told_and_another_configuration_may_bring_it_back():
    house = House()
    a = house.mapping("a")
    broken = replace(a, function=replace(a.function, type="nothing we know"))
    async with living(a, house=house) as log:
        house.mappings.apply([broken])
        await asyncio.sleep(SOFT_STOP)
        assert house.status.died == ["a"]
        assert [line["mapping"] for line in log if line["event"] == "task_died"] == ["a"]
        house.mappings.apply([a])
        await asyncio.sleep(1)
        assert house.states() == {"a": "running"}
        house.mappings.apply([])
        await asyncio.sleep(SOFT_STOP)
        assert house.states() == {}
        house.status.died.clear()


async def test_what_this_machine_lacks_is_told_and_tried_again_and_stops_nobody_else(tmp_path):
    """Here a secret that is not there yet."""
    house = House()
    secret = tmp_path / "secret"
    web = WebOptions(url="http://127.0.0.1:1/", headers={"X-Token": Secret("file", str(secret))})
    a, b = house.mapping("a"), house.mapping("b")
    a = replace(a, function=FunctionConfig(key="web", type="http", options=web))
    async with living(a, b, house=house):
        assert house.states() == {"a": "problem", "b": "running"}
        assert f"the file {secret} cannot be read" in house.of("a").reason.text
        await asyncio.sleep(120)
        secret.write_text("s3cret")
        await asyncio.sleep(90)
        assert house.states() == {"a": "running", "b": "running"}
        secret.unlink()
        house.mappings.apply([replace(a, tags={"new": "yes"}, function=replace(a.function, timeout_seconds=9)), b])
        await asyncio.sleep(SOFT_STOP)
        assert house.states() == {"a": "problem", "b": "running"}
        await house.mappings.pause("a")
        await asyncio.sleep(1)
        assert house.states() == {"a": "paused", "b": "running"}


async def test_what_could_not_be_deleted_is_not_delivered_again_by_the_next_run():
    house = House()
    a = house.mapping("a")
    async with living(a, house=house):
        house.aws.faults.always("DeleteMessageBatch", LOST_BEFORE)
        house.queue("a").send("1")
        await asyncio.sleep(5)
        house.mappings.apply([replace(a, batch_size=1)])
        await asyncio.sleep(SOFT_STOP + 5)
        house.aws.faults.clear()
        await asyncio.sleep(120)
        assert not house.queue("a").messages
        assert len(house.invoked().all) == 1


async def test_nothing_is_left_of_the_functions_of_removed_mappings():
    """The limit of a function holds while its mappings change, and ends with the last that uses it."""
    house = House()
    first, second = house.mapping("a", function_concurrency=3), house.mapping("b", function_concurrency=3)
    other = house.mapping("c", function="other")
    async with living(first, second, other, house=house):
        functions = house.wiring.functions
        slots = functions.slots(first.function)
        house.mappings.apply([first, replace(second, function=replace(second.function, timeout_seconds=9))])
        await asyncio.sleep(SOFT_STOP)
        assert [*functions.limits.values()] == [slots]
        house.mappings.apply([])
        await asyncio.sleep(SOFT_STOP)
        assert [*functions.limits, *functions.breakers, *functions.built, *functions.users] == []


async def test_messages_remembered_as_undeleted_are_forgotten_with_their_mapping():
    house = House()
    async with living(house.mapping("a"), house.mapping("b"), house=house):
        builder = house.wiring.builders["sqs"]
        assert isinstance(builder, QueueBuilder)
        assert set(builder.undeleted) == {"uuid of a", "uuid of b"}
        house.mappings.apply([house.mapping("b")])
        await asyncio.sleep(SOFT_STOP)
        assert set(builder.undeleted) == {"uuid of b"}
