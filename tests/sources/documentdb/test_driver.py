"""The real driver against a server that speaks its protocol: what it raises becomes a reason, and streams go on."""

import gc
import time
from contextlib import asynccontextmanager

import bson
import pytest
from bson.int64 import Int64

from poller.sources.documentdb.change import Reading
from poller.sources.documentdb.changes import ChangeStreams, Watched
from poller.sources.documentdb.cluster import SetupFailed
from poller.sources.documentdb.driver import Driver, client_options
from poller.sources.documentdb.server import CommandFailed
from poller.sources.sharded.api import Position
from poller.values.errors import AnswerLost, IteratorExpired, NotSent
from tests.fakes.mongo.commands import FakeMongo
from tests.fakes.mongo.server import serving

pytestmark = [
    pytest.mark.real_time,
    # the driver leaves a socket open that it was connecting while it was closed
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]
OPTIONS = client_options("poller-test") | {"serverSelectionTimeoutMS": 500, "heartbeatFrequencyMS": 500}


@pytest.fixture(autouse=True)
def _left_by_the_driver():
    """Found here, and not during another test."""
    yield
    gc.collect()


def at(uri):
    async def connection():
        return uri, {}

    return connection


@asynccontextmanager
async def driven(**settings):
    """A server, and the driver connected to it."""
    mongo = FakeMongo(time.time, **settings)
    async with serving(mongo) as server:
        driver = Driver(at(f"mongodb://127.0.0.1:{server.port}/?replicaSet=rs0"), OPTIONS)
        try:
            yield mongo, server, driver
        finally:
            await driver.close()


def streams(driver, collection="orders"):
    watched = Watched("shop", collection, "UpdateLookup")
    return ChangeStreams(driver, watched, Reading("relaxed"), "stop", lambda *_, **__: None)


async def until_it_answers(driver):
    while True:
        try:
            return bson.decode(await driver.run("admin", {"ping": 1}))
        except (NotSent, AnswerLost):
            # a driver looks for its servers now and then only
            continue


async def numbers(stream):
    page = await stream.page()
    return [change.document_key["_id"] for change in page.records], page.continuation


async def test_a_stream_is_read_and_goes_on_behind_a_token_after_the_connection_was_cut():
    async with driven() as (mongo, server, driver):
        mongo.log.insert("shop", "orders", {"_id": 1})
        stream = await streams(driver).open("changes", Position("TRIM_HORIZON"))
        found, passed = await numbers(stream)
        assert found == [1]
        server.cut()
        with pytest.raises(IteratorExpired):
            await stream.page()
        await stream.close()
        mongo.log.insert("shop", "orders", {"_id": 2})
        mongo.log.update("shop", "orders", 1, n=5)
        stream = await streams(driver).open("changes", Position("AFTER_SEQUENCE_NUMBER", passed))
        found, _ = await numbers(stream)
        assert found == [2, 1]
        await stream.close()


@pytest.mark.parametrize("labels", [True, False], ids=["labels", "codes"])
@pytest.mark.parametrize("trouble", ["elect", "kill_cursors"])
async def test_elections_and_lost_cursors_ask_for_a_new_stream(trouble, labels):
    async with driven(labels=labels) as (mongo, _, driver):
        stream = await streams(driver).open("changes", Position("LATEST"))
        await stream.page()
        getattr(mongo, trouble)()
        with pytest.raises(IteratorExpired):
            await stream.page()
        mongo.elected()
        await stream.close()


async def test_what_the_server_refuses_is_told_by_its_code_and_name():
    async with driven() as (mongo, _, driver):
        mongo.refusals["aggregate"] = mongo.refused(13, "Unauthorized", "not authorized on shop")
        with pytest.raises(CommandFailed, match=r"^Unauthorized \(13\): not authorized on shop$") as error:
            await streams(driver).open("changes", Position("LATEST"))
        assert error.value.reason == "access_denied"


async def test_a_cursor_is_read_in_the_session_that_opened_it_whatever_else_is_asked():
    async with driven() as (mongo, _, driver):
        one = await streams(driver).open("changes", Position("LATEST"))
        other = await streams(driver, None).open("changes", Position("LATEST"))
        mongo.log.insert("shop", "orders", {"_id": 1})
        for stream in (one, other):
            await stream.page()
            assert (await numbers(stream))[0] == [1]
        await driver.run("admin", {"ping": 1})
        await one.close()
        await other.close()
        assert mongo.last["killCursors"]["cursors"] == [Int64(1001)]
        assert mongo.cursors == {}


async def test_a_server_that_is_not_there_and_a_connection_that_breaks_are_told_apart():
    async with driven() as (mongo, server, driver):
        mongo.cuts = 1
        with pytest.raises(AnswerLost):
            await driver.run("admin", {"ping": 1})
        await server.stop()
        with pytest.raises(NotSent) as error:
            await driver.run("admin", {"ping": 1})
        assert "\n" not in str(error.value)
        await server.start()
        assert (await until_it_answers(driver))["ok"] == 1


async def test_an_endpoint_of_documentdb_is_taken_though_the_driver_warns_of_it():
    driver = Driver(at("mongodb://shop.cluster-x1.eu-west-1.docdb.amazonaws.com:27017/?replicaSet=rs0"), OPTIONS)
    session = await driver.session()
    await session.end()
    await driver.close()


@pytest.mark.parametrize(
    "uri",
    ["mongodb://user:s3cret@:::", "http://user:s3cret@host", "mongodb://user:s3cret@host/?tls=perhaps&replicaSet=a"],
)
async def test_a_connection_string_that_is_wrong_is_refused_without_being_told(uri):
    driver = Driver(at(uri), OPTIONS)
    with pytest.raises(SetupFailed) as error:
        await driver.run("admin", {"ping": 1})
    assert "s3cret" not in str(error.value)
    assert "s3cret" not in repr(error.value.__context__)
