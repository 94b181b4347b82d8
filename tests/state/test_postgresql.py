"""A PostgreSQL as the store: what is refused at the start, and what happens when the server or the way to it is gone."""

import asyncio
import signal
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from poller.cli.main import main
from poller.policy.progress import LaneProgress, ShardProgress, StreamProgress
from poller.state.postgresql.url import FORM
from poller.state.sole import Sole, new_member
from poller.values.errors import EnvironmentProblem, StateError, StoreAway
from tests.servers.cutting_proxy import CuttingProxy
from tests.servers.postgresql import in_schema, postgresql

pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'poller[postgresql]'")

import psycopg

from poller.state.contents import forget
from poller.state.postgresql.connections import MOST, Connections
from poller.state.postgresql.opening import contents, opened
from poller.state.postgresql.schema import prepare

pytestmark = pytest.mark.real_time


def at(position):
    return ShardProgress((LaneProgress(position),))


def mapping(**shards):
    return StreamProgress("orders", "arn:stream", "epoch", None, dict(shards))


@pytest.fixture
def url(postgresql_url):
    """An empty schema, and its owner."""
    return in_schema(postgresql_url, f"test-{uuid4()}")


@pytest.fixture
def administer(url):
    """Runs statements as the owner."""

    def run(*statements):
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    return run


@asynccontextmanager
async def daemon(url):
    """The store as a daemon has it."""
    async with opened(url, "poller") as fleet:
        yield Sole(fleet, new_member())


async def refusal(url):
    with pytest.raises(EnvironmentProblem) as refused:
        async with opened(url, "poller"):
            pass
    assert not isinstance(refused.value, StoreAway)
    return str(refused.value)


# the tables


async def test_several_that_find_an_empty_database_make_its_tables_once(url):
    connections = [Connections(url) for _ in range(6)]
    try:
        assert await asyncio.gather(*(prepare(each) for each in connections)) == [True] * 6
    finally:
        for each in connections:
            await each.close()


async def test_what_the_guide_says_is_enough(postgresql_url):
    guide = (Path(__file__).parents[2] / "docs/how-to/postgresql.md").read_text()
    statements = guide.partition("```text\n")[2].partition("```")[0].splitlines()
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
    async with daemon(postgresql_url.replace("postgres@", "poller@").replace("/postgres", "/poller")) as store:
        await store.open("u", mapping(a=at("1")))


async def test_commands_make_nothing_and_show_nothing_where_nothing_is(url):
    assert not (await contents(url, "poller")).progress
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()").fetchone() == (
            0,
        )


async def test_what_is_stored_is_listed_while_a_daemon_runs_and_given_up(url):
    async with daemon(url) as store:
        await store.open("u", mapping(a=at("1")))
        assert (await contents(url, "poller")).progress == {"u": mapping(a=at("1"))}
        async with opened(url, "poller") as of_a_command:
            await forget(of_a_command, "u")
        assert not (await contents(url, "poller")).progress
        assert await store.load("u") is None


def test_what_a_daemon_alone_has_stored_becomes_that_of_a_fleet(url, tmp_path, capsys):
    def copied(fleet, *arguments):
        (tmp_path / "poller.yaml").write_text(f"state: {url}\nfleet: {{name: {fleet}}}\n")
        with pytest.raises(SystemExit) as ended:
            main(["state", "copy", url, *arguments, "--config", str(tmp_path / "poller.yaml")])
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out + printed.err

    async def fill():
        async with daemon(url) as store:
            await store.open("u", mapping(a=at("1")))

    async def stored(fleet):
        return (await contents(url, fleet)).progress

    asyncio.run(fill())
    assert copied("orders")[0] == 0
    assert copied("payments", "--fleet", "orders")[0] == 0
    assert asyncio.run(stored("orders")) == asyncio.run(stored("payments")) == {"u": mapping(a=at("1"))}
    assert copied("poller")[1] == copied("orders", "--fleet", "orders")[1] == "poller: FROM and TO are the same store\n"
    assert "is no name of a fleet" in copied("orders", "--fleet", "no name")[1]


async def test_tables_of_another_program_are_refused_and_left_alone(url, administer):
    administer("CREATE TABLE poller_shards (id integer)")
    told = await refusal(url)
    assert "not poller's" in told
    assert "another database, or another schema" in told


async def test_a_table_that_this_version_has_added_is_made(url, administer):
    async with daemon(url) as store:
        await store.open("u", mapping(a=at("1")))
    administer("DROP TABLE poller_actions")
    async with daemon(url) as store:
        assert await store.actions() == []
        assert (await store.load("u")).shards == {"a": at("1")}


async def test_tables_that_this_version_must_not_write_are_refused(url, administer):
    async with daemon(url):
        pass
    administer("UPDATE poller_schema SET version = 9, oldest = 8")
    assert "made by a newer poller (schema 9, for versions from 8 on; this one is 1)" in await refusal(url)


async def test_missing_rights_are_refused_with_the_statement_that_grants_them(url, administer, postgresql_url):
    role = f"role_{uuid4().hex}"
    schema = url.rpartition("%3D")[2]
    administer(f"CREATE ROLE {role} LOGIN", f'GRANT USAGE ON SCHEMA "{schema}" TO {role}')
    theirs = url.replace("postgres@", f"{role}@")
    told = await refusal(theirs)
    assert "permission denied for schema" in told
    assert "poller state migrate --print" in told
    async with daemon(url):
        pass
    told = await refusal(theirs)
    administer(told.partition("run ")[2])
    async with daemon(theirs) as store:
        await store.open("u", mapping(a=at("1")))


async def test_a_server_that_may_take_commits_back_is_refused(url):
    assert "SET synchronous_commit = on" in await refusal(url + "%20-csynchronous_commit%3Doff")


async def test_a_database_that_can_only_be_read_is_refused(url):
    told = await refusal(url + "%20-cdefault_transaction_read_only%3Don")
    assert "can only be read" in told
    assert "target_session_attrs=read-write" in told


async def test_a_row_that_is_damaged_is_never_taken_for_a_position(url, administer):
    async with daemon(url) as store:
        await store.open("u", mapping(a=at("1")))
        administer("UPDATE poller_shards SET progress = '[[1'")
        with pytest.raises(StateError, match="a row is damaged"):
            await store.load("u")


def test_what_a_daemon_may_not_make_its_owner_makes_by_what_is_printed(url, tmp_path, capsys):
    role = f'r"{uuid4().hex}'
    schema = url.rpartition("%3D")[2]
    with psycopg.connect(url, autocommit=True) as connection:
        quoted = role.replace('"', '""')
        connection.execute(f'CREATE ROLE "{quoted}" LOGIN; GRANT USAGE ON SCHEMA "{schema}" TO "{quoted}"'.encode())
        config = tmp_path / "poller.yaml"
        config.write_text(f"state: {url.replace('postgres@', role.replace(chr(34), '%22') + '@')}\n")

        def poller(*arguments):
            with pytest.raises(SystemExit) as ended:
                main([*arguments, "--config", str(config)])
            return ended.value.code or 0, capsys.readouterr()

        code, said = poller("state", "migrate")
        assert code == 69
        assert "poller state migrate --print" in said.err
        code, said = poller("state", "migrate", "--print")
        assert code == 0
        connection.execute(said.out.encode())
    code, said = poller("state", "migrate")
    assert (code, said.out.partition(" in ")[0]) == (0, "the tables are")
    assert poller("state", "list")[1].out == "no position is stored\n"


# the server goes away


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("postgresql://postgres@127.0.0.1:1/postgres", "refused"),
        ("postgresql://postgres@{place}/nowhere", "nowhere"),
        ("postgresql://postgres@{place}/postgres?sslmode=require", "SSL"),
    ],
)
async def test_a_database_that_cannot_be_reached_is_away_and_no_password_is_told(postgresql_url, wrong, said):
    place = postgresql_url.partition("@")[2].partition("/")[0]
    url = wrong.format(place=place).replace("postgres@", "postgres:canary-5f1c9a@")
    with pytest.raises(StoreAway) as away:
        async with opened(url, "poller"):
            pass
    assert said in str(away.value)
    assert "canary" not in str(away.value)
    assert "canary" not in str(await _state_error(url))


async def _state_error(url):
    with pytest.raises(StateError) as failed:
        await Connections(url).rows("SELECT 1")
    return failed.value


async def test_a_connection_that_was_cut_is_replaced_and_no_call_fails(url):
    port = int(url.partition("127.0.0.1:")[2].partition("/")[0])
    with CuttingProxy(port) as proxy:
        async with daemon(url.replace(f":{port}/", f":{proxy.port}/")) as store:
            await store.open("u", mapping())
            for position in range(5):
                proxy.cut()
                await store.save("u", "a", at(str(position)))
        assert (await contents(url, "poller")).progress["u"].shards == {"a": at("4")}


async def test_a_save_whose_answer_was_lost_is_told_and_stored_at_the_next_try(url):
    port = int(url.partition("127.0.0.1:")[2].partition("/")[0])
    with CuttingProxy(port) as proxy:
        async with daemon(url.replace(f":{port}/", f":{proxy.port}/")) as store:
            await store.open("u", mapping())
            await store.save("u", "a", at("1"))
            proxy.deaf = True
            with pytest.raises(StateError):
                await store.save("u", "a", at("2"))
            proxy.deaf = False
            await store.save("u", "a", at("3"))
            assert (await store.load("u")).shards == {"a": at("3")}


async def test_calls_at_the_same_time_share_few_connections(url):
    connections = Connections(url)
    try:
        rows = await asyncio.gather(
            *(connections.rows("SELECT pg_backend_pid() FROM pg_sleep(0.01)") for _ in range(40))
        )
    finally:
        await connections.close()
    assert 1 < len({process for [(process,)] in rows}) <= MOST


async def test_a_call_whose_caller_was_cancelled_leaves_no_connection_in_use(url):
    connections = Connections(url)
    for _ in range(2 * MOST):
        call = asyncio.ensure_future(connections.rows("SELECT pg_sleep(60)"))
        await asyncio.wait({call}, timeout=0.02)
        call.cancel()
        await asyncio.wait({call})
    assert await connections.rows("SELECT 1") == [(1,)]
    await connections.close()


@pytest.fixture(scope="module")
def own_server():
    """A server with all its safety, which the tests kill."""
    with postgresql() as server:
        yield server


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGQUIT], ids=["kill -9", "immediate stop"])
async def test_what_was_acknowledged_survives_the_end_of_the_server(own_server, how):
    async with daemon(own_server.url) as store:
        uuid = how.name
        await store.open(uuid, mapping())
        await store.save(uuid, "a", at("1"))
        own_server.end(how)
        with pytest.raises(StateError) as failed:
            await store.save(uuid, "a", at("2"))
        assert "cannot be reached" in str(failed.value)
        with pytest.raises(StoreAway):
            async with opened(own_server.url, "poller"):
                pass
        own_server.start()
        assert (await store.load(uuid)).shards == {"a": at("1")}
        await store.save(uuid, "a", at("2"))
        assert (await store.load(uuid)).shards == {"a": at("2")}


async def test_a_server_that_is_stopped_is_given_up_in_time_and_used_again_later(own_server):
    async with opened(own_server.url, "poller", 0.5) as fleet:
        store = Sole(fleet, new_member())
        await store.open("stopped", mapping())
        await store.save("stopped", "a", at("1"))
        own_server.signal(signal.SIGSTOP)
        try:
            with pytest.raises(StateError, match=r"no (answer|connection) within 0\.5 s"):
                await store.save("stopped", "a", at("2"))
        finally:
            own_server.signal(signal.SIGCONT)
    async with daemon(own_server.url) as store:
        await store.save("stopped", "a", at("3"))
        assert (await store.load("stopped")).shards == {"a": at("3")}


# URLs


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:canary@host:port/db",
        "postgresql://user:can/ary@host/db",
        "postgresql://user:canary@host/db#x",
        "postgresql://user:canary@host/db?sslmod=require",
        "postgresql://user:canary@host/db?connect_timeout=3",
        "postgres://user:canary@host/db",
        "postgresql:user:canary@host/db",
    ],
)
def test_a_url_that_is_wrong_is_refused_in_words_without_its_password(url, tmp_path, capsys):
    file = tmp_path / "poller.yaml"
    file.write_text(f"state: {url!r}\n")
    with pytest.raises(SystemExit) as ended:
        main(["check", "--allow-empty", "--config", str(file)])
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert "poller.yaml:1: state: " in said.err
    assert "canary" not in said.err + said.out
    assert "can/ary" not in said.err + said.out
    assert FORM in said.err or "parameters that are not taken" in said.err
