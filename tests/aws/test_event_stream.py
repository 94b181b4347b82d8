"""Subscriptions over a socket, with real frames: what comes is what was sent, and what goes wrong is told as what it is."""

import asyncio
import contextlib
from typing import Any

import pytest

from poller.aws.credentials import CredentialSource
from poller.aws.endpoints import Endpoint
from poller.aws.lean import LeanTransport
from poller.aws.signer import Credentials
from poller.sources.kinesis.api import KinesisApi
from poller.sources.kinesis.fan_out import SUBSCRIBE, FanOut, page_of
from poller.sources.sharded.api import Position
from poller.values.errors import AnswerLost, ServiceError
from tests.fakes.server import real_time_aws, serving
from tests.fakes.streams.framing import CONTENT_TYPE, event, exception, frame
from tests.http import scripted
from tests.http.test_streamed import Http2Peer, trusting

pytestmark = pytest.mark.real_time
START = Position("TRIM_HORIZON")


class Keys:
    async def get_credentials(self):
        return self

    async def get_frozen_credentials(self):
        return Credentials("key", "secret", None)


def lean(url, **settings):
    return LeanTransport(
        credentials=CredentialSource(Keys, asyncio.get_running_loop().time),
        endpoint=lambda _: Endpoint(str(url), "eu-west-1", "kinesis"),
        **settings,
    )


@contextlib.asynccontextmanager
async def subscribed(aws, stream, position=START):
    """A consumer's subscription to the one shard of a fake stream behind a socket."""
    async with serving(aws) as url:
        transport = lean(url)
        api = KinesisApi(transport, arn=stream.arn, region="eu-west-1", invoke_identity_arn="r")
        consumer = FanOut(api, transport, aws.streams.fan_out.register(stream, "c"))
        subscription = await consumer.open("shardId-000000000000", position)
        try:
            async with asyncio.timeout(20):
                yield subscription
        finally:
            await subscription.close()
            await transport.close()


async def until_the_end(subscription):
    while await subscription.page() is not None:
        pass


async def test_records_cross_the_socket_as_they_are():
    aws = real_time_aws()
    stream = aws.stream("s")
    numbers = [stream.put("key", f"value {n}" * 1000) for n in range(700)]
    async with subscribed(aws, stream) as subscription:
        found: list[Any] = []
        while len(found) < 700:
            page = await subscription.page()
            found += page.records
        assert [one["SequenceNumber"] for one in found] == numbers
        assert page.continuation == numbers[-1]
        assert page.behind_seconds == 0
        assert abs(subscription.date - aws.clock()) < 60


async def test_a_shard_s_end_and_the_end_of_a_subscription_are_told_apart():
    aws = real_time_aws()
    stream = aws.stream("s")
    stream.put("a", "1")
    children = stream.split("shardId-000000000000")
    async with subscribed(aws, stream) as subscription:
        page = await subscription.page()
        assert (len(page.records), page.next_iterator) == (1, None)
        assert tuple(child.id for child in page.children) == children
        assert await subscription.page() is None


async def test_an_exception_in_the_stream_comes_after_the_events_before_it():
    aws = real_time_aws()
    stream = aws.stream("s")
    stream.put("a", "1")
    async with subscribed(aws, stream) as subscription:
        assert len((await subscription.page()).records) == 1
        aws.streams.fan_out.faults.append(ServiceError(400, "ResourceInUseException", "taken over", body=b"{}"))
        stream.put("a", "2")
        with pytest.raises(ServiceError, match="register one for each mapping") as told:
            await until_the_end(subscription)
        assert told.value.code == "ResourceInUseException"


async def test_a_connection_that_breaks_is_a_lost_answer():
    aws = real_time_aws()
    stream = aws.stream("s")
    async with subscribed(aws, stream) as subscription:
        await subscription.page()
        aws.streams.fan_out.faults.append(AnswerLost("reset"))
        stream.put("a", "1")
        with pytest.raises(AnswerLost):
            await until_the_end(subscription)


@contextlib.asynccontextmanager
async def answered(body, content_type=CONTENT_TYPE, status="200 OK"):
    """The event stream of an endpoint that answers exactly this."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    async with scripted.serving(scripted.answering(head.encode() + body)) as server:
        transport = lean(server.origin)
        events = None
        try:
            async with asyncio.timeout(20):
                events = await transport.subscribe(SUBSCRIBE, b"{}")
                yield events
        finally:
            if events is not None:
                await events.close()
            await transport.close()


async def test_events_before_an_exception_are_handed_on_and_the_exception_says_what_and_why():
    body = event(b"{}", "initial-response") + event(b"one") + exception("KMSThrottlingException", b'{"message":"slow"}')
    async with answered(body) as events:
        assert await events.event() == b"one"
        with pytest.raises(ServiceError, match="slow") as told:
            await events.event()
    assert told.value.code == "KMSThrottlingException"


async def test_an_error_that_is_no_exception_of_the_operation_is_one_of_the_service():
    body = frame({":message-type": "error", ":error-code": "Internal", ":error-message": "broken"}, b"")
    async with answered(body) as events:
        with pytest.raises(ServiceError, match="broken") as told:
            await events.event()
    assert (told.value.status, told.value.code) == (500, "Internal")


async def test_frames_with_a_wrong_checksum_are_a_lost_answer():
    whole = event(b"one")
    async with answered(whole[:-1] + b"x") as events:
        with pytest.raises(AnswerLost, match="broken"):
            await events.event()


async def test_an_endpoint_without_event_streams_is_told_with_what_to_do():
    with pytest.raises(AnswerLost, match="name the ARN of the stream itself"):
        async with answered(b"{}", "application/x-amz-json-1.1"):
            pass


async def test_over_tls_it_is_http2_signed_for_the_host_it_goes_to():
    heard = {}

    async def script(peer):
        other = Http2Peer(peer)
        await other.request()
        heard.update(other.headers)
        await other.answer(content_type=CONTENT_TYPE)
        await other.send(event(b"{}", "initial-response") + event(b"one"))
        await peer.gone()

    async with scripted.serving(script, certificate="valid", protocols=("h2", "http/1.1")) as server:
        transport = lean(server.origin, tls=trusting)
        events = await transport.subscribe(SUBSCRIBE, b"{}")
        assert await events.event() == b"one"
        await events.close()
        await transport.close()
        assert heard[b":authority"].decode() == server.origin.host_header
    assert b"SignedHeaders=content-type;host;" in heard[b"authorization"]
    assert heard[b"x-amz-target"] == b"Kinesis_20131202.SubscribeToShard"


async def test_a_refusal_is_the_service_s():
    body = b'{"__type":"AccessDeniedException","Message":"no"}'
    with pytest.raises(ServiceError) as told:
        async with answered(body, "application/x-amz-json-1.1", "400 Bad Request"):
            pass
    assert (told.value.status, told.value.code, told.value.message) == (400, "AccessDeniedException", "no")


@pytest.mark.parametrize("payload", [b"{}", b"[]", b"nonsense"])
def test_an_event_that_lacks_what_it_must_have_is_a_lost_answer(payload):
    with pytest.raises(AnswerLost):
        page_of(payload)


def test_an_event_that_says_neither_where_it_goes_on_nor_what_follows_leaves_it_to_the_listing():
    page = page_of(b'{"Records":[],"MillisBehindLatest":0}')
    assert (page.records, page.next_iterator, page.continuation, page.children) == ([], None, None, ())
