"""The daemon and the real driver against a server that speaks MongoDB's protocol, with TLS, restarts and an outage."""

import json

import pytest

from tests.live.daemon import command, running, until
from tests.live.document_world import Function, written
from tests.servers.mongo import MongoThread

pytestmark = [pytest.mark.live, pytest.mark.heavy]


def insert(first, last):
    def inserting(mongo):
        for number in range(first, last):
            mongo.log.insert("shop", "orders", {"_id": number})

    return inserting


def test_changes_reach_the_function_through_an_outage_and_a_restart(tmp_path):
    with MongoThread(tls=True) as server, Function() as function:
        config = written(tmp_path, server.uri, function)
        server.does(insert(0, 20))
        with running(config, {}) as daemon:
            until(lambda: len(function.numbers) == 20, "the first changes")
            server.stop()
            server.does(insert(20, 30))
            daemon.wait_for_reason("orders", "unreachable")
            assert daemon.healthy()
            server.start()
            until(lambda: len(function.numbers) == 30, "the changes of the outage")
            server.does(lambda mongo: mongo.kill_cursors())
            server.does(insert(30, 40))
            until(lambda: len(function.numbers) == 40, "the changes behind a lost cursor")
            assert daemon.stop()["orders"]["delivered"] == 40
        server.does(insert(40, 50))
        with running(config, {}) as daemon:
            until(lambda: len(function.numbers) == 50, "the changes of the pause")
            assert daemon.stop()["orders"]["delivered"] == 10
        assert function.numbers == list(range(50))


def test_check_reaches_the_stream_and_names_what_is_missing(tmp_path):
    with MongoThread(tls=True) as server, Function() as function:
        config = written(tmp_path, server.uri, function)

        def checked():
            process = command(tmp_path, {"COLUMNS": "300"}, "check", "--connect", "--config", config)
            out, err = process.communicate(timeout=60)
            return process.returncode, out + err

        code, said = checked()
        assert code == 0, said
        server.does(lambda mongo: mongo.refusals.update(aggregate=mongo.refused(13, "Unauthorized", "not on shop")))
        code, said = checked()
        assert code == 1
        assert "grant the database's user the role `read`" in said
        assert "Unauthorized (13): not on shop" in said
        assert not server.does(lambda mongo: mongo.cursors)


def test_a_daemon_proves_who_it_is_by_a_secret_file_and_goes_on_after_a_rotation(tmp_path):
    users = {"reader": "old"}
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"username": "reader", "password": "old"}))
    access = [{"type": "BASIC_AUTH", "uri": {"file": str(secret)}}]
    with MongoThread(tls=True, users=users) as server, Function() as function:
        config = written(tmp_path, server.uri, function, event_source_arn=None, source_access_configurations=access)
        server.does(insert(0, 10))
        with running(config, {}) as daemon:
            until(lambda: len(function.numbers) == 10, "the first changes")
            users["reader"] = "new"
            server.stop()
            server.start()
            server.does(insert(10, 20))
            daemon.wait_for_reason("orders", "credentials")
            secret.write_text(json.dumps({"username": "reader", "password": "new"}))
            until(lambda: len(function.numbers) == 20, "the changes after the rotation")
            assert daemon.stop()["orders"]["delivered"] == 20
        assert function.numbers == list(range(20))
