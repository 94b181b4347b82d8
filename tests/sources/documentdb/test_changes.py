"""What an error of the server means for a stream, by the list of the drivers' specification, and garbage answers."""

import bson
import pytest
from bson.int64 import Int64
from bson.timestamp import Timestamp

from poller.sources.documentdb.change import Reading
from poller.sources.documentdb.changes import ChangeStreams, Watched
from poller.sources.documentdb.server import CommandFailed
from poller.sources.sharded.api import Position
from poller.values.errors import AnswerLost, IteratorExpired
from tests.fakes.mongo.commands import FakeMongo
from tests.fakes.mongo.port import FakeServer
from tests.fakes.streams.account import virtual_clock

RESUMABLE = {
    "HostUnreachable": 6,
    "HostNotFound": 7,
    "CursorNotFound": 43,
    "StaleShardVersion": 63,
    "NetworkTimeout": 89,
    "ShutdownInProgress": 91,
    "FailedToSatisfyReadPreference": 133,
    "StaleEpoch": 150,
    "PrimarySteppedDown": 189,
    "RetryChangeStream": 234,
    "ExceededTimeLimit": 262,
    "SocketException": 9001,
    "NotWritablePrimary": 10107,
    "InterruptedAtShutdown": 11600,
    "InterruptedDueToReplStateChange": 11602,
    "StaleConfig": 13388,
    "NotPrimaryNoSecondaryOk": 13435,
    "NotPrimaryOrSecondary": 13436,
}
FATAL = {"MaxTimeMSExpired": 50, "ElectionInProgress": 216, "Unauthorized": 13, "ChangeStreamHistoryLost": 286}


async def opened(mongo):
    watched = Watched("shop", "orders", "Default")
    streams = ChangeStreams(FakeServer(mongo), watched, Reading("relaxed"), "stop", lambda *_, **__: None)
    return await streams.open("changes", Position("TRIM_HORIZON"))


@pytest.mark.parametrize("name", RESUMABLE)
async def test_errors_of_the_list_ask_for_a_new_stream_also_without_a_label(name):
    mongo = FakeMongo(virtual_clock, labels=False)
    stream = await opened(mongo)
    await stream.page()
    mongo.refusals["getMore"] = mongo.refused(RESUMABLE[name], name, "no")
    with pytest.raises(IteratorExpired, match=name):
        await stream.page()
    await stream.close()


@pytest.mark.parametrize("labelled", [True, False])
async def test_any_error_with_the_label_asks_for_a_new_stream_and_no_other_does(labelled):
    mongo = FakeMongo(virtual_clock)
    stream = await opened(mongo)
    await stream.page()
    mongo.refusals["getMore"] = mongo.refused(50, "MaxTimeMSExpired", "no", labelled=labelled)
    with pytest.raises(IteratorExpired if labelled else CommandFailed):
        await stream.page()
    await stream.close()


@pytest.mark.parametrize("name", FATAL)
async def test_other_errors_are_raised_as_they_are(name):
    mongo = FakeMongo(virtual_clock)
    stream = await opened(mongo)
    await stream.page()
    mongo.refusals["getMore"] = mongo.refused(FATAL[name], name, "no")
    with pytest.raises(CommandFailed, match=rf"^{name} \({FATAL[name]}\): no$"):
        await stream.page()
    await stream.close()


CURSOR = {"id": Int64(7), "ns": "shop.orders", "nextBatch": []}
CHANGE = {"_id": {"_data": "82"}, "clusterTime": Timestamp(5, 1), "operationType": "insert"}


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"cursor": 5},
        {"cursor": {"ns": "a.b"}},
        {"cursor": {**CURSOR, "id": "x"}},
        {"cursor": {**CURSOR, "nextBatch": 5}},
        {"cursor": {**CURSOR, "nextBatch": [5]}},
        {"cursor": {**CURSOR, "nextBatch": [{}]}},
        {"cursor": {**CURSOR, "nextBatch": [{"_id": 5}]}},
        {"cursor": {**CURSOR, "nextBatch": [{**CHANGE, "splitEvent": {"fragment": 2, "of": 2}}]}},
        {"cursor": {**CURSOR, "postBatchResumeToken": 5}},
    ],
    ids=repr,
)
async def test_an_answer_that_is_none_is_lost_and_changes_nothing(reply):
    stream = await opened(FakeMongo(virtual_clock))
    await stream.page()
    with pytest.raises(AnswerLost):
        stream.take(bson.encode(reply))
    stream.take(bson.encode({"cursor": {**CURSOR, "nextBatch": [CHANGE]}}))
    page = await stream.page()
    assert page is not None
    assert [change.position for change in page.records] == [f"{(5 << 32 | 1) << 64}@82"]
    await stream.close()


async def test_a_change_whose_time_goes_back_or_is_missing_follows_the_last_one_all_the_same():
    stream = await opened(FakeMongo(virtual_clock))
    await stream.page()
    changes = [CHANGE, {**CHANGE, "clusterTime": Timestamp(4, 9)}, {"_id": {"_data": "83"}}]
    stream.take(bson.encode({"cursor": {**CURSOR, "nextBatch": changes}}))
    page = await stream.page()
    assert page is not None
    assert [change.place.nth for change in page.records] == [0, 1, 2]
    assert {change.arrival for change in page.records} == {5.0}
    await stream.close()
