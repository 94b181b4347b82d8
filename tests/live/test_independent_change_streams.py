"""The daemon against a server that others wrote from MongoDB's protocol, by the driver, from the horizon to a restart."""

import time
from typing import Any

import pytest
from pymongo import MongoClient

from tests.live.daemon import command, running, until
from tests.live.document_world import Function, written
from tests.servers.mongo_java import java_server

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with java_server(tmp_path_factory.mktemp("java")) as uri:
        yield uri


@pytest.fixture
def orders(server):
    """A collection of its own for each test."""
    client: MongoClient[dict[str, Any]] = MongoClient(server)
    with client:
        yield client.shop[f"orders{time.time_ns()}"]


def of(orders, tmp_path, server, function, **mapping):
    watched = {"database_name": "shop", "collection_name": orders.name}
    entry = {"document_db_event_source_config": watched, "mongodb": {"uri": server}, "event_source_arn": None}
    return written(tmp_path, server, function, **entry | mapping)


def test_every_change_comes_once_and_in_order_also_over_a_restart(tmp_path, server, orders):
    with Function() as function:
        config = of(orders, tmp_path, server, function)
        orders.insert_many([{"_id": number} for number in range(20)])
        with running(config, {}) as daemon:
            until(lambda: len(function.changes) == 20, "the changes before the start")
            for number in range(20, 40):
                orders.insert_one({"_id": number})
            until(lambda: len(function.changes) == 40, "the changes while it reads")
            assert daemon.stop()["orders"]["delivered"] == 40
        orders.delete_many({"_id": {"$lt": 10}})
        with running(config, {}) as daemon:
            until(lambda: len(function.changes) == 50, "the changes of the pause")
            assert daemon.stop()["orders"]["delivered"] == 10
    assert [change["operationType"] for change in function.changes] == ["insert"] * 40 + ["delete"] * 10
    assert function.numbers[:40] == list(range(40))
    assert sorted(function.numbers[40:]) == list(range(10))


def test_a_first_start_at_the_tip_is_pinned(tmp_path, server, orders):
    with Function() as function:
        config = of(orders, tmp_path, server, function, starting_position="LATEST")
        orders.insert_one({"_id": "before"})
        with running(config, {}) as daemon:
            daemon.wait_for_log("source_reached")
            daemon.stop()
        orders.insert_one({"_id": "between"})
        with running(config, {}) as daemon:
            until(lambda: "between" in function.numbers, "what was written while it was down")
            daemon.stop()
    # this server tells the tip by its clock, to the second
    assert function.numbers in (["between"], ["before", "between"])


def test_check_reaches_it(tmp_path, server, orders):
    with Function() as function:
        config = of(orders, tmp_path, server, function)
        process = command(tmp_path, {"COLUMNS": "300"}, "check", "--connect", "--config", config)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
