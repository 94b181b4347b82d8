"""Made mappings of several daemons on one store: each runs what was asked of any, within five seconds."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from poller.policy.mapping_states import LONGEST_CHANGE
from poller.state.contents import restore
from poller.state.memory.fleet import MemoryFleet, Rows
from poller.state.memory.store import MemoryStore
from poller.state.sole import Sole, new_member
from poller.values.errors import StateError
from poller.values.stored_mapping import KEPT_SECONDS, StoredMapping
from tests.daemon.mapping_world import FUNCTION, an_account, mapping_world, refused
from tests.virtual_time import EPOCH

TAKEN_UP = 5.0
STOPPED = 21.0
"""Seconds: a long poll under way may return."""
AT_ONCE = 0.5
ACCOUNT = an_account()
QUEUE = ACCOUNT.queues["orders"].arn
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
OF_A_STREAM = {"EventSourceArn": STREAM, "FunctionName": FUNCTION, "StartingPosition": "TRIM_HORIZON"}


class Distant(MemoryFleet):
    """Another call comes between what a daemon reads and what it writes."""

    async def write_mapping(self, mapping):
        await asyncio.sleep(0.01)
        return await super().write_mapping(mapping)


@asynccontextmanager
async def two_daemons(tmp_path, *, fleet):
    """On one store, as a fleet or each by itself, and the store."""
    rows, aws, places = Rows(), an_account(), [tmp_path / "first", tmp_path / "second"]
    for place in places:
        place.mkdir()
    stores = [{"fleet": Distant(rows)} if fleet else {"store": Sole(Distant(rows), new_member())} for _ in places]
    async with (
        mapping_world(places[0], aws=aws, **stores[0]) as first,
        mapping_world(places[1], aws=aws, **stores[1]) as second,
    ):
        await asyncio.sleep(10)
        yield first, second, MemoryFleet(rows)


def runs(world):
    """The parameters that tell the revisions of these tests apart, of each mapping that runs."""
    return [
        (status.name, status.state, dict(status.tags), world.running.mappings.find(status.name).mapping.batch_size)
        for status in world.running.status.mappings
    ]


@pytest.mark.parametrize("fleet", [True, False])
async def test_every_daemon_runs_what_was_asked_of_any_within_five_seconds(tmp_path, fleet):
    async with two_daemons(tmp_path, fleet=fleet) as (first, second, _):
        made = await first.create(EventSourceArn=QUEUE, FunctionName=FUNCTION, BatchSize=5)
        uuid = made["UUID"]
        await asyncio.sleep(TAKEN_UP)
        assert runs(first) == runs(second) == [(uuid, "running", {}, 5)]
        await second.update(uuid, BatchSize=7)
        await second.tag(made["EventSourceMappingArn"], {"team": "shop"})
        await asyncio.sleep(TAKEN_UP + STOPPED)
        assert runs(first) == runs(second) == [(uuid, "running", {"team": "shop"}, 7)]
        await second.update(uuid, Enabled=False)
        await asyncio.sleep(TAKEN_UP + STOPPED)
        assert [state for _, state, *_ in runs(first)] == ["disabled"]
        await first.update(uuid, Enabled=True)
        await asyncio.sleep(TAKEN_UP + STOPPED)
        assert runs(second)[0][1] == "running"
        await first.delete(uuid)
        await asyncio.sleep(TAKEN_UP + STOPPED)
        assert runs(first) == runs(second) == []
        assert [await world.state(uuid) for world in (first, second)] == ["gone", "gone"]


async def test_a_fleet_is_told_at_once(tmp_path):
    async with two_daemons(tmp_path, fleet=True) as (first, second, _):
        uuid = (await first.create(EventSourceArn=QUEUE, FunctionName=FUNCTION))["UUID"]
        await asyncio.sleep(AT_ONCE)
        assert [name for name, *_ in runs(second)] == [uuid]


async def test_an_answer_shows_what_another_daemon_did_a_moment_ago(tmp_path):
    async with two_daemons(tmp_path, fleet=False) as (first, second, _):
        made = await first.create(EventSourceArn=QUEUE, FunctionName=FUNCTION)
        uuid = made["UUID"]
        assert (await second.get(uuid))["State"] == "Creating"
        assert [one["UUID"] for one in (await second.list())["EventSourceMappings"]] == [uuid]
        status, code, text = await refused(second.create(EventSourceArn=QUEUE, FunctionName=FUNCTION))
        assert (status, code) == (409, "ResourceConflictException")
        assert uuid in text
        await asyncio.sleep(LONGEST_CHANGE)
        await first.tag(made["EventSourceMappingArn"], {"a": "b"})
        assert await second.tags(made["EventSourceMappingArn"]) == {"a": "b"}
        await second.tag(made["EventSourceMappingArn"], {"c": "d"})
        assert await first.tags(made["EventSourceMappingArn"]) == {"a": "b", "c": "d"}


@pytest.mark.parametrize("fleet", [True, False])
@pytest.mark.parametrize("deleted_before", [False, True])
async def test_of_two_mappings_made_at_one_instant_at_two_daemons_one_is_refused(tmp_path, fleet, deleted_before):
    async with two_daemons(tmp_path, fleet=fleet) as (first, second, store):
        wanted = {"EventSourceArn": QUEUE, "FunctionName": FUNCTION}
        before = []
        if deleted_before:
            before = [(await first.create(**wanted))["UUID"]]
            await asyncio.sleep(TAKEN_UP)
            await first.delete(before[0])
            await asyncio.sleep(TAKEN_UP + STOPPED)
        answers = await asyncio.gather(
            first.create(**wanted), _a_moment_later(second.create(**wanted)), return_exceptions=True
        )
        (made,) = (answer for answer in answers if isinstance(answer, dict))
        (status, code, text) = await refused(_raised(answers))
        assert (status, code) == (409, "ResourceConflictException")
        assert made["UUID"] in text
        assert set(await store.mappings()) == {made["UUID"], *before}
        assert made["UUID"] not in before


async def _a_moment_later(call):
    await asyncio.sleep(0.001)
    return await call


async def _raised(answers):
    raise next(answer for answer in answers if isinstance(answer, Exception))


async def test_a_fleet_s_mapping_is_deleting_until_every_daemon_has_let_go(tmp_path):
    async with two_daemons(tmp_path, fleet=True) as (first, second, _):
        uuid = (await first.create(EventSourceArn=QUEUE, FunctionName=FUNCTION))["UUID"]
        await asyncio.sleep(20)
        await first.delete(uuid)
        for _ in range(300):
            if runs(second) and (await first.state(uuid)) != "Deleting":
                raise AssertionError("it is gone on one daemon, and runs on the other")
            await asyncio.sleep(0.1)
        assert await first.state(uuid) == "gone"


async def test_records_of_a_stream_are_delivered_by_either_daemon_and_no_more_after_the_delete(tmp_path):
    async with two_daemons(tmp_path, fleet=True) as (first, second, _):
        uuid = (await first.create(**OF_A_STREAM))["UUID"]
        aws = first.aws
        for number in range(20):
            aws.streams.streams["clicks"].put(str(number), b"1")
        await asyncio.sleep(15)
        delivered = [status.account.delivered for world in (first, second) for status in world.running.status.mappings]
        assert (len(delivered), sum(delivered)) == (2, 20)
        await second.delete(uuid)
        await asyncio.sleep(TAKEN_UP + STOPPED)
        invoked = len(aws.functions[FUNCTION].invocations.all)
        aws.streams.streams["clicks"].put("a", b"2")
        await asyncio.sleep(60)
        assert len(aws.functions[FUNCTION].invocations.all) == invoked


async def test_a_deleted_mapping_that_is_restored_goes_on_from_its_position_on_every_daemon(tmp_path):
    async with two_daemons(tmp_path, fleet=True) as (first, second, store):
        aws = first.aws
        uuid = (await first.create(**OF_A_STREAM))["UUID"]
        aws.streams.streams["clicks"].put("a", b"1")
        await asyncio.sleep(15)
        assert len(aws.functions[FUNCTION].invocations.all) == 1
        await first.delete(uuid)
        await asyncio.sleep(TAKEN_UP + STOPPED)
        aws.streams.streams["clicks"].put("a", b"2")
        await restore(store, (await store.mappings())[uuid], EPOCH + 100)
        await asyncio.sleep(TAKEN_UP + 10)
        assert [world.running.status.mappings[0].name for world in (first, second)] == [uuid, uuid]
        assert len(aws.functions[FUNCTION].invocations.all) == 2


async def test_a_deleted_mapping_and_its_position_are_forgotten_after_a_week_also_by_a_later_daemon(tmp_path):
    class Failing(MemoryStore):
        fails = True

        async def forget(self, uuid):
            if self.fails:
                raise StateError("the disk is full")
            await super().forget(uuid)

    store, aws = Failing(), an_account()
    async with mapping_world(tmp_path, aws=aws, store=store) as world:
        uuid = (await world.create(**OF_A_STREAM))["UUID"]
        await asyncio.sleep(10)
        await world.running.pause(uuid)
        await world.settle(uuid, "Enabled", "Creating")
        await world.delete(uuid)
        await asyncio.sleep(60)
        assert set(await store.stored()) == set(await store.paused()) == set(await store.mappings()) == {uuid}
    deleted = (await store.mappings())[uuid]
    later = replace(deleted, revision=deleted.revision + 1, modified=EPOCH - KEPT_SECONDS + 30)
    assert await store.write_mapping(later)
    async with mapping_world(tmp_path, aws=aws, store=store) as world:
        await asyncio.sleep(20)
        assert set(await store.stored()) == {uuid}
        assert await world.state(uuid) == "gone"
        await asyncio.sleep(20)
        # the store failed: it is tried again
        assert set(await store.stored()) == {uuid}
        store.fails = False
        await asyncio.sleep(10)
        assert (await store.stored(), await store.paused(), await store.mappings()) == ({}, {}, {})
        assert not world.running.status.died


async def test_a_daemon_by_itself_only_reads_to_know_what_is_stored(tmp_path):
    class Counting(MemoryStore):
        def __init__(self):
            super().__init__()
            self.written: list[str] = []

        async def write_mapping(self, mapping):
            self.written.append("write_mapping")
            return await super().write_mapping(mapping)

        async def remove_mapping(self, uuid):
            self.written.append("remove_mapping")

        async def forget(self, uuid):
            self.written.append("forget")

        async def resume(self, uuid):
            self.written.append("resume")

    store = Counting()
    await MemoryStore.write_mapping(store, StoredMapping("gone", {**OF_A_STREAM}, 1, EPOCH, deleted=True))
    async with mapping_world(tmp_path, store=store) as world:
        await world.create(EventSourceArn=QUEUE, FunctionName=FUNCTION)
        await asyncio.sleep(600)
        await world.list()
        assert store.written == ["write_mapping"]


async def test_a_store_that_fails_leaves_running_what_is_known(tmp_path):
    class Failing(MemoryStore):
        fails = False

        async def mappings_version(self):
            if self.fails:
                raise StateError("the disk is gone")
            return await super().mappings_version()

    store = Failing()
    async with mapping_world(tmp_path, store=store) as world:
        uuid = (await world.create(EventSourceArn=QUEUE, FunctionName=FUNCTION))["UUID"]
        store.fails = True
        await asyncio.sleep(60)
        assert await world.state(uuid) == "Enabled"
        assert (await refused(world.delete(uuid)))[1] == "ServiceException"
        assert not world.running.status.died
