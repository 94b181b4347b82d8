"""`python -m tests.benchmarks.invocations`: what an invocation of each type of function costs the daemon.

One invocation after the other, with an event of ten small messages, beside a bare POST by aiohttp to the same server of
a few lines: the daemon's CPU, apart from it that of the workers it started, and the time until the outcome, medians of
five rounds.
"""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from statistics import median

from aiobotocore.session import AioSession

from poller.aws.credentials import CredentialSource
from poller.aws.endpoints import Endpoint
from poller.aws.lean import LeanTransport
from poller.aws.port import Transport
from poller.aws.sdk_transport import ReferenceTransport
from poller.daemon import accelerators
from poller.daemon.run import GC_THRESHOLD
from poller.functions.lambda_api.function import LambdaFunction
from poller.functions.step_functions.function import StepFunctionsFunction
from poller.functions.web.http import HttpFunction
from poller.functions.web.requests import Hmac, PlainRequests, SignedRequests
from poller.policy.response import Succeeded
from poller.ports.function import Function
from tests.benchmarks.calls import EVENT, SERVER, Call, Cost, bare_post, cost, python_handler, runtime
from tests.benchmarks.front_door import front_door
from tests.functions.runtime.workers import BOOTSTRAP

REGION = "eu-west-1"
MACHINE = f"arn:aws:states:{REGION}:123456789012:stateMachine:m"
ENDED = r"{\"status\":\"SUCCEEDED\",\"output\":\"null\"}"
"""What Step Functions answers, fit for the server's source."""

FRONT_DOOR = "runtime, by Invoke of Lambda's API"

Build = Callable[[str, Transport], Function]


def _session() -> AioSession:
    session = AioSession()
    session.set_credentials("AKIDEXAMPLE", "secret")
    return session


def _lean(url: str) -> Transport:
    source = CredentialSource(_session, asyncio.get_running_loop().time)
    return LeanTransport(credentials=source, endpoint=lambda service: Endpoint(url, REGION, service))


def _reference(url: str) -> Transport:
    return ReferenceTransport(_session, REGION, lambda _: (url, None))


@asynccontextmanager
async def invoking(
    build: Build, *, transport: Callable[[str], Transport] = _lean, ended: bool = False
) -> AsyncIterator[Call]:
    """`ended`: the server is asked as Step Functions, and answers as it."""
    source = SERVER
    if ended:
        source = SERVER.replace("Content-Length: 4", f"Content-Length: {len(ENDED.replace(chr(92), ''))}")
        source = source.replace("null", ENDED)
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    url = f"http://127.0.0.1:{int(await server.stdout.readline())}/"
    calls = transport(url)
    function = build(url, calls)

    async def call() -> None:
        outcome = await function.invoke(EVENT)
        assert isinstance(outcome, Succeeded), outcome

    yield Call(call)
    await function.close()
    await calls.close()
    await server.wait()


def a_lambda(_url: str, transport: Transport) -> Function:
    return LambdaFunction(
        "f", transport, function_name="f", qualifier=None, timeout=30, payload_limit=6_291_456, rie=False
    )


def a_workflow(_url: str, transport: Transport) -> Function:
    return StepFunctionsFunction("f", transport, state_machine_arn=MACHINE, timeout=30, payload_limit=262_144)


def a_url(url: str, _transport: Transport) -> Function:
    source = CredentialSource(_session, asyncio.get_running_loop().time)
    requests = SignedRequests("f", url, dict, source, service="lambda", region=REGION)
    return HttpFunction("f", url, requests, timeout=30, payload_limit=6_291_456, aws=True)


def a_service(url: str, _transport: Transport) -> Function:
    return HttpFunction("f", url, PlainRequests("f", url, dict), timeout=30, payload_limit=6_291_456)


def a_webhook(url: str, _transport: Transport) -> Function:
    signature = Hmac(lambda: "secret", "X-Signature", "X-Signature-Timestamp", "sha256")
    return HttpFunction("f", url, PlainRequests("f", url, dict, signature), timeout=30, payload_limit=6_291_456)


def ways() -> dict[str, AbstractAsyncContextManager[Call]]:
    """What is measured, by name; each is entered once."""
    return {
        "a bare aiohttp POST": bare_post(),
        "http": invoking(a_service),
        "http with an HMAC": invoking(a_webhook),
        "lambda": invoking(a_lambda),
        "lambda by the SDK": invoking(a_lambda, transport=_reference),
        "function_url, signed": invoking(a_url),
        "step_functions": invoking(a_workflow, ended=True),
        "runtime, a worker of a few lines": runtime(sys.executable, "-I", "-S", str(BOOTSTRAP)),
        "runtime, a Python handler": python_handler(),
    }


async def costs(invocations: int) -> dict[str, Cost]:
    """By what is measured."""
    found = {}
    for what, opened in ways().items():
        async with opened as call:
            found[what] = await cost(call, invocations)
    found[FRONT_DOOR] = await front_door(invocations)
    return found


if __name__ == "__main__":
    gc.set_threshold(GC_THRESHOLD)  # as in the daemon
    rounds = [accelerators.run(costs(1_000)) for _ in range(5)]
    sys.stdout.write("us per invocation: CPU of the daemon, of its workers, until the outcome\n")
    for what in rounds[0]:
        cpu, workers, latency = (
            median(getattr(one[what], figure) for one in rounds) for figure in ("cpu", "workers", "latency")
        )
        sys.stdout.write(f"{what:35} {cpu:6.0f} {workers:6.0f} {latency:6.0f}\n")
