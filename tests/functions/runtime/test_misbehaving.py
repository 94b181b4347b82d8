"""Workers that do what no runtime should: what it costs them, and that it costs nobody else."""

import pytest

from poller.policy.response import Failed, NotInvoked, Succeeded
from tests.functions.runtime.clients import BASE, started
from tests.functions.runtime.workers import Log

pytestmark = pytest.mark.real_time
OTHER = "7b1ff4d6-0000-0000-0000-000000000000"


async def handed(client):
    """The request id of the next invocation."""
    return (await client.next()).headers["lambda-runtime-aws-request-id"]


async def test_a_second_answer_and_one_to_another_invocation_are_refused_and_change_nothing():
    refused = []

    async def speak(client):
        first = await handed(client)
        refused.append(await client.respond(OTHER, b"another's"))
        await client.respond(first, b"first")
        refused.append(await client.respond(first, b"again"))
        second = await handed(client)
        refused.append(await client.post_error(first))
        await client.respond(second, b"second")
        await client.next()

    async with started(speak) as running:
        bodies = [(await running.invoke(b"{}")).body for _ in range(2)]
    assert bodies == [b"first", b"second"]
    assert [(one.status, one.error) for one in refused] == [(400, "InvalidRequestID")] * 3


async def test_who_asks_again_before_it_has_answered_is_refused_and_may_still_answer():
    refused = []

    async def speak(client):
        request_id = await handed(client)
        refused.append(await client.next())
        refused.append(await client.request("POST", f"{BASE}/init/error"))
        await client.respond(request_id)
        await client.next()

    async with started(speak) as running:
        assert isinstance(await running.invoke(b"{}"), Succeeded)
    assert [(one.status, one.error) for one in refused] == [(403, "InvalidStateTransition")] * 2


async def test_after_an_init_error_it_is_given_nothing():
    async def speak(client):
        body = b'{"errorType":"A.B","errorMessage":"no"}'
        head = f"POST {BASE}/init/error HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        await client.raw(head.encode() + body + f"GET {BASE}/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await client.ended()

    async with started(speak) as running:
        outcome = await running.invoke(b"{}")
    assert isinstance(outcome, NotInvoked)
    assert (outcome.code, outcome.detail) == ("init_failed", "A.B: no")


@pytest.mark.parametrize("says", ["nothing", "half an answer"])
async def test_out_of_time_is_what_it_is_called_whatever_its_last_words_are(says):
    async def speak(client):
        request_id = await handed(client)
        if says == "half an answer":
            head = f"POST {BASE}/invocation/{request_id}/response HTTP/1.1\r\nContent-Length: 9\r\n\r\n{{}}"
            await client.raw(head.encode())
        await client.ended()

    log = Log()
    async with started(speak, log, timeout=0.3) as running:
        outcome = await running.invoke(b"{}")
    assert isinstance(outcome, Failed)
    assert (outcome.error, outcome.detail.partition(":")[0]) == ("timeout", "Sandbox.Timedout")
    assert len(log.of("worker_killed")) == 1
