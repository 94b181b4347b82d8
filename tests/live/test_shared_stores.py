"""`poller run` without a disk of its own: what it knows is in PostgreSQL or DynamoDB, and outlives the daemon."""

import json
import signal
from base64 import b64decode
from typing import cast
from uuid import uuid4

import pytest

from poller.state.dynamodb.table import FORM
from tests.live.daemon import command, configuration, running, until
from tests.servers.postgresql import in_schema, postgresql
from tests.servers.threaded import Handler, ThreadedServer

pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'poller[postgresql]'")
pytestmark = [pytest.mark.live, pytest.mark.heavy]


class Seen(ThreadedServer):
    """A function that succeeds, and what it was given."""

    def __init__(self):
        super().__init__(Invoked)
        self.values = []


class Invoked(Handler):
    def do_POST(self):  # noqa: N802 - the base class calls it so
        records = json.loads(self.body())["Records"]
        cast("Seen", self.server).values += [b64decode(record["kinesis"]["data"]).decode() for record in records]
        self.answer(200, b"{}")


@pytest.fixture
def function():
    with Seen() as server:
        yield server


@pytest.fixture
def stream(ministack):
    """Puts records into a stream of one shard."""
    client = ministack.client("kinesis")
    client.create_stream(StreamName="orders", ShardCount=1)
    until(
        lambda: client.describe_stream(StreamName="orders")["StreamDescription"]["StreamStatus"] == "ACTIVE", "a stream"
    )

    def put(*values):
        client.put_records(
            StreamName="orders", Records=[{"Data": value.encode(), "PartitionKey": "key"} for value in values]
        )

    return put


@pytest.fixture(params=["postgresql", "dynamodb"])
def shared(request, ministack):
    """The URL of an empty store in a database that others use too."""
    if request.param == "postgresql":
        return in_schema(request.getfixturevalue("postgresql_url"), f"live-{uuid4()}")
    name = f"state-{uuid4()}"
    ministack.client("dynamodb").create_table(TableName=name, **FORM)
    return f"dynamodb://{name}?region={ministack.region}"


@pytest.fixture
def place(tmp_path):
    """A folder for each daemon: nothing of the one before is in it."""

    def folder():
        made = tmp_path / str(uuid4())
        made.mkdir()
        return made

    return folder


def settings(account, function, state):
    arn = f"arn:aws:kinesis:{account.region}:{account.account}:stream/orders"
    mapping = {
        "name": "orders",
        "event_source_arn": arn,
        "function_name": "f",
        "starting_position": "TRIM_HORIZON",
        "poll_interval_seconds": 0.2,
    }
    return [mapping], {"state": state, "functions": {"f": {"type": "http", "url": function.url}}}


def settled(daemon):
    """Records that were delivered and whose position is stored."""
    shown = daemon.status()["orders"]
    return shown["counters"]["delivered"] - shown["in_flight"]


def poller(folder, config, *arguments, environment=None):
    process = command(folder, environment or {}, *arguments, "--config", config)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_positions_pauses_and_what_is_given_up_outlive_the_machine(ministack, stream, function, place, shared):
    mappings, rest = settings(ministack, function, shared)
    first, second, account = place(), place(), ministack.environment()
    config = configuration(first, *mappings, **rest)
    stream("1", "2", "3")
    with running(config, ministack.environment()) as daemon:
        until(lambda: settled(daemon) >= 3, "records to be settled")
        stored = lambda: poller(first, config, "state", "list", environment=account)[1]  # noqa: E731
        assert "orders" in stored()
        assert poller(first, config, "pause", "orders", "--api", daemon.address)[0] == 0
        daemon.kill()
    stream("4", "5")
    config = configuration(second, *mappings, **rest)
    with running(config, ministack.environment()) as daemon:
        daemon.wait_for_log("ready")
        assert daemon.status()["orders"]["state"] == "paused"
        assert poller(second, config, "resume", "orders", "--api", daemon.address)[0] == 0
        until(lambda: len(function.values) >= 5, "the rest to be delivered")
        for command_line in (("run",), ("state", "forget", "orders")):
            code, _, err = poller(first, config, *command_line, environment=account)
            assert (code, "stop" in err) == (69, True), err
        daemon.stop()
    assert function.values == ["1", "2", "3", "4", "5"]
    assert poller(second, config, "state", "forget", "orders", environment=account)[0] == 0
    assert poller(second, config, "state", "list", environment=account)[1] == "no position is stored\n"
    with running(config, ministack.environment()) as daemon:
        until(lambda: len(function.values) >= 10, "the stream from its beginning")
        daemon.stop()


def test_a_database_that_goes_away_holds_batches_back_and_loses_none(ministack, stream, function, place):
    with postgresql() as database:
        mappings, rest = settings(ministack, function, database.url)
        config = configuration(place(), *mappings, **rest)
        with running(config, ministack.environment()) as daemon:
            stream("1")
            until(lambda: settled(daemon) >= 1, "a record to be settled")
            database.end(signal.SIGQUIT)
            stream("2")
            daemon.wait_for_log("progress_not_stored")
            assert daemon.healthy()
            assert "cannot be reached" in daemon.status()["orders"]["partitions"][0]["reason"]["text"]
            database.start()
            stream("3")
            until(lambda: settled(daemon) >= 3, "the others to be settled")
            daemon.stop()
    assert function.values == ["1", "2", "3"]


def test_a_database_that_is_away_at_the_start_is_waited_for(ministack, stream, function, place):
    with postgresql() as database:
        database.end()
        mappings, rest = settings(ministack, function, database.url)
        config = configuration(place(), *mappings, **rest)
        code, _, err = poller(config.parent, config, "run", "--wait", "0.5")
        assert code == 69
        assert "cannot be reached" in err
        assert "It was tried for 0.5 s" in err
        with running(config, ministack.environment()) as daemon:
            daemon.wait_for_log("store_away")
            assert daemon.logged("ready") is None
            database.start()
            daemon.wait_for_log("ready")
            stream("1")
            until(lambda: function.values, "a record to be delivered")
            daemon.stop()


def test_a_daemon_that_waits_for_its_database_ends_when_it_is_told(function, ministack, place):
    mappings, rest = settings(ministack, function, "postgresql://postgres@127.0.0.1:1/postgres")
    with running(configuration(place(), *mappings, **rest), {}) as daemon:
        daemon.wait_for_log("store_away")
        daemon.stop()
