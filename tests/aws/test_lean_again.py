"""What the lean transport sends again, what never, and what a refusal teaches it."""

import asyncio
from email.utils import formatdate

import pytest

from poller.aws.port import Operation
from poller.values.errors import AnswerLost, NoCredentials, NotSent, ServiceError
from tests.aws.service import GOOD, INVOKE, NOW, OPERATIONS, RECEIVE, Calls, Keys, Service, answer, calling, refusal
from tests.http.scripted import Peer, answering, serving

pytestmark = pytest.mark.real_time


@pytest.mark.parametrize(
    "problem", [refusal("InternalFailure", 500), answer(503), refusal("ThrottlingException"), None, b"garbage\r\n\r\n"]
)
async def test_what_may_do_better_is_sent_again_with_growing_pauses(problem: bytes | None) -> None:
    service = Service(problem, problem, GOOD)
    async with calling(service) as calls:
        assert (await calls.call(RECEIVE, b"{}")).body == b'{"good": true}'
    assert len(service.requests) == 3
    assert calls.pauses == [0.5, 1.0]


async def test_after_three_attempts_the_last_error_is_raised() -> None:
    service = Service(answer(500), None, refusal("SlowDown", 503))
    async with calling(service) as calls:
        with pytest.raises(ServiceError, match="SlowDown"):
            await calls.call(RECEIVE, b"{}")
    assert len(service.requests) == 3


@pytest.mark.parametrize(
    ("problem", "error"),
    [
        (answer(500), ServiceError),
        (answer(503), ServiceError),
        (refusal("TooManyRequestsException", 429), ServiceError),
        (refusal("ExpiredTokenException", 403), ServiceError),
        (refusal("InvalidSignatureException", 403, date=formatdate(NOW + 9000, usegmt=True)), ServiceError),
        (None, AnswerLost),
        (b"garbage", AnswerLost),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" * 2, AnswerLost),
    ],
)
async def test_an_invoke_is_never_sent_twice(problem: bytes | None, error: type[Exception]) -> None:
    service = Service(problem)
    async with calling(service, keys=Keys("OLD", "NEW")) as calls:
        with pytest.raises(error):
            await calls.call(INVOKE, b"{}")
    assert len(service.requests) == 1
    assert calls.pauses == []


async def test_an_invoke_that_is_not_answered_in_time_is_lost_and_not_sent_again() -> None:
    asked = []

    async def silent(peer: Peer) -> None:
        asked.append(await peer.request())
        await peer.gone()

    async with calling(silent) as calls:
        with pytest.raises(AnswerLost, match="in time"):
            await calls.call(INVOKE, b"{}", timeout=0.05)
    assert len(asked) == 1


async def test_an_answer_over_the_operations_limit_is_lost() -> None:
    small = Operation("lambda", "Invoke", resend=False, max_reply_bytes=10)
    async with calling(Service(answer(200, "x" * 9))) as calls:
        with pytest.raises(AnswerLost, match="larger than 10 bytes"):
            await calls.call(small, b"{}")


async def test_an_outage_is_not_answered_with_three_times_the_load() -> None:
    service = Service(answer(500))
    async with calling(service) as calls:
        for _ in range(120):
            with pytest.raises(ServiceError):
                await calls.call(RECEIVE, b"{}")
    # 500 tokens pay for 100 retries
    assert len(service.requests) == 220


@pytest.mark.parametrize(
    "code", ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"]
)
async def test_refused_credentials_are_read_anew_and_the_call_sent_again(code: str) -> None:
    service = Service(refusal(code, 403), GOOD)
    keys = Keys("OLD", "NEW")
    async with calling(service, keys=keys) as calls:
        assert (await calls.call(RECEIVE, b"{}")).status == 200
        await calls.call(RECEIVE, b"{}")
    assert service.keys == ["OLD", "NEW", "NEW"]
    assert (keys.reads, calls.pauses) == (2, [])


async def test_the_invoke_after_a_refused_one_has_the_new_credentials() -> None:
    service = Service(refusal("ExpiredTokenException", 403), GOOD)
    async with calling(service, keys=Keys("OLD", "NEW")) as calls:
        with pytest.raises(ServiceError):
            await calls.call(INVOKE, b"{}")
        assert (await calls.call(INVOKE, b"{}")).status == 200
    assert service.keys == ["OLD", "NEW"]


async def test_credentials_that_stay_refused_are_read_once_per_call() -> None:
    service = Service(refusal("InvalidClientTokenId", 403))
    keys = Keys("OLD", "ALSO", "BAD", "ONES")
    async with calling(service, keys=keys) as calls:
        with pytest.raises(ServiceError, match="InvalidClientTokenId"):
            await calls.call(RECEIVE, b"{}")
    assert service.keys == ["OLD", "ALSO"]


@pytest.mark.parametrize(
    "code", ["RequestTimeTooSkewed", "RequestExpired", "InvalidSignatureException", "SignatureDoesNotMatch"]
)
@pytest.mark.parametrize("skew", [-7200, 7200])
async def test_a_wrong_clock_is_corrected_by_the_services(code: str, skew: int) -> None:
    service = Service(refusal(code, 403, date=formatdate(NOW + skew, usegmt=True)), GOOD)
    async with calling(service) as calls:
        await calls.call(RECEIVE, b"{}")
        await calls.call(RECEIVE, b"{}")
    right = "20260101T020000Z" if skew > 0 else "20251231T220000Z"
    assert service.header("x-amz-date") == ["20260101T000000Z", right, right]


@pytest.mark.parametrize("date", [formatdate(NOW + 60, usegmt=True), "nonsense"])
async def test_a_refusal_that_the_clock_does_not_explain_is_raised(date: str) -> None:
    service = Service(refusal("InvalidSignatureException", 403, date=date))
    async with calling(service) as calls:
        with pytest.raises(ServiceError, match="InvalidSignatureException"):
            await calls.call(RECEIVE, b"{}")
    assert len(service.requests) == 1


async def test_without_credentials_nothing_is_sent() -> None:
    service = Service(GOOD)
    keys = Keys()
    async with calling(service, keys=keys) as calls:
        with pytest.raises(NoCredentials):
            await calls.call(RECEIVE, b"{}")
        assert service.requests == []
        keys.keys = ["KEY"]
        assert (await calls.call(RECEIVE, b"{}")).status == 200


@OPERATIONS
async def test_nobody_there_means_not_sent(operation: Operation) -> None:
    async with serving(answering()) as server:
        pass
    calls = Calls(server, Keys("KEY"), lambda: NOW)
    with pytest.raises(NotSent):
        await calls.call(operation, b"{}")
    assert len(calls.pauses) == (2 if operation.resend else 0)
    await calls.transport.close()


async def test_close_ends_calls_and_refuses_new_ones() -> None:
    asked = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.gone()

    async with calling(silent) as calls:
        running = asyncio.create_task(calls.call(INVOKE, b"{}"))
        await asked.wait()
        await calls.transport.close()
        with pytest.raises(AnswerLost):
            await running
        for operation in (RECEIVE, INVOKE):
            with pytest.raises(NotSent):
                await calls.call(operation, b"{}")
