"""A PostgreSQL that the daemons of a fleet share: several versions of poller on it, and what each hears of the others."""

import asyncio
from uuid import uuid4

import pytest

from poller.policy.progress import LaneProgress, ShardProgress, StreamProgress
from poller.ports.fleet import Claimed, Lease, MemberState, Write
from poller.state.sole import new_member
from tests.servers.postgresql import in_schema

pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'poller[postgresql]'")

import psycopg

from poller.state.postgresql.opening import opened

pytestmark = pytest.mark.real_time


def at(position):
    return ShardProgress((LaneProgress(position),))


FIRST = StreamProgress("orders", "arn:stream", "epoch", None, {"a": at("1")})


@pytest.fixture
def url(postgresql_url):
    """An empty schema."""
    return in_schema(postgresql_url, f"test-{uuid4()}")


async def test_tables_of_a_newer_version_are_used_where_it_only_added_to_them_also_by_a_daemon_that_runs(url):
    old, new = new_member(), new_member()
    async with opened(url, "poller") as running:
        await running.join(old, {})
        await running.open("u", FIRST)
        await running.claim("u", "a", old, Lease())
        for statement in (
            "ALTER TABLE poller_shards ADD COLUMN mood text NOT NULL DEFAULT 'fine'",
            "ALTER TABLE poller_members ADD COLUMN mood text",
            "CREATE TABLE poller_moods (mood text)",
            "UPDATE poller_schema SET version = 2",
        ):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(statement)
        async with opened(url, "poller") as beside:
            await beside.join(new, {"mood": "fine"})
            assert await running.beat(old, 1, MemberState.ACTIVE, 0, {"name": "old"})
            assert {row.id: row.facts for row in await beside.members()} == {
                old: {"name": "old"},
                new: {"mood": "fine"},
            }
            assert await running.write(old, [Write("u", "a", 1, 1, at("2"), release=True, to=new)]) == set()
            assert await beside.claim("u", "a", new, Lease(None, 1)) == Claimed(2, at("2"))
            assert await beside.claim("u", "b", new, Lease()) is not None
            assert await running.leases("u") == {"a": Lease(new, 2), "b": Lease(new, 1)}


async def test_what_a_member_says_of_itself_is_heard_and_its_plain_beats_are_not(url):
    heard, changed = [], asyncio.Event()
    member = new_member()
    async with opened(url, "poller") as first, opened(url, "poller") as second:
        first.listen(changed.set, lambda: heard.append("facts"))
        await changed.wait()
        changed.clear()
        await second.join(member, {})
        await changed.wait()
        for beat, facts in enumerate((None, {"attends": ["a"]}, None, {}), 1):
            await second.beat(member, beat, MemberState.ACTIVE, 0, facts)
        changed.clear()
        await second.leave(member)
        await changed.wait()
    assert heard == ["facts"] * 2
