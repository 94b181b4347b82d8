"""Reaching a function without running it, unless that was asked for. Each type has its own way, a small one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from poller.aws.cold import ColdCalls
from poller.aws.proxies import proxy_for
from poller.aws.transports import Transports
from poller.cli.connect.runtimes import look_at_runtime
from poller.cli.connect.tries import Tries
from poller.configuration import FunctionConfig
from poller.engine.functions import tls_files, web_function
from poller.functions.lambda_api import invoke_operation
from poller.http import Origin, TlsFiles, tls_context
from poller.http.dial import dial
from poller.policy.response import Failed, Succeeded
from poller.values.errors import ConfigurationError, NotSent

DRY_RUN = (("x-amz-invocation-type", "DryRun"),)
"""Lambda checks the permission and that there is such a function, and runs nothing."""
SECONDS = 15.0

TEST_EVENT = b'{"Records": []}'
"""An event as sources make them, without any record."""

Reach = Callable[[FunctionConfig, str, Transports, Tries], Awaitable[None]]


async def reach_function(function: FunctionConfig, region: str, transports: Transports, tries: Tries) -> None:
    """Note in `tries` what came of it. `region` is that of the mapping which uses it."""
    await REACH[function.type](function, region, transports, tries)


async def _lambda(function: FunctionConfig, region: str, transports: Transports, tries: Tries) -> None:
    endpoint_url = function.endpoint_url
    if function.rie:
        # it runs whatever it is sent
        assert endpoint_url is not None
        await tries.attempt("connect", partial(connect, endpoint_url))
        tries.untried.append("the function itself (the emulator would run it)")
        return
    assert function.function_name is not None
    transport = await transports.get(function.aws, function.region or region)
    operation = invoke_operation(function.function_name, function.qualifier, SECONDS, headers=DRY_RUN)
    await tries.attempt("lambda:InvokeFunction", partial(transport.call, operation, b"{}"))


async def _web(function: FunctionConfig, _region: str, _transports: Transports, tries: Tries) -> None:
    assert function.url is not None
    if proxy_for(function.url):
        tries.untried.append("the connection (it goes through a proxy)")
        return
    url = function.url

    async def reach() -> None:
        await connect(url, tls_files(function))

    await tries.attempt("connect", reach)
    if tries.ok:
        tries.untried.append("a request (it would run the function)")


async def _runtime(function: FunctionConfig, _region: str, _transports: Transports, tries: Tries) -> None:
    look_at_runtime(function, tries)


async def _step_functions(function: FunctionConfig, region: str, _transports: Transports, tries: Tries) -> None:
    arn = function.state_machine_arn
    calls = ColdCalls(function.aws, function.region or region)
    tries.untried.append("states:StartSyncExecution (it would run the workflow)")
    await tries.ask(
        "states:DescribeStateMachine",
        lambda: calls.call("stepfunctions", "describe_state_machine", stateMachineArn=arn),
    )


async def try_function(function: FunctionConfig, region: str, transports: Transports, tries: Tries) -> None:
    """Reach a function, and run it once with `TEST_EVENT` where nothing less shows whether it can be run: behind a URL.
    Lambda answers that to a dry run.
    """
    await reach_function(function, region, transports, tries)
    if function.web is None or not tries.ok:
        return
    tries.untried.clear()
    try:
        called = web_function(function)
    except ConfigurationError as error:
        tries.trouble("error", str(error))
        return
    try:
        outcome = await called.invoke(TEST_EVENT)
    finally:
        await called.close()
    tries.done.append(f"invoked once with {TEST_EVENT.decode()}")
    if not isinstance(outcome, Succeeded):
        code = outcome.error if isinstance(outcome, Failed) else getattr(outcome, "code", "too large")
        tries.trouble("failed", f"the function did not succeed: {', '.join(filter(None, (code, outcome.detail)))}")


REACH: Mapping[str, Reach] = {
    "lambda": _lambda,
    "function_url": _web,
    "http": _web,
    "runtime": _runtime,
    "step_functions": _step_functions,
}


async def connect(url: str, files: TlsFiles | None = None) -> None:
    """Open a connection as the daemon would, TLS verified, and close it again. Raises NotSent."""
    origin = Origin.of(url)
    tls = tls_context(files) if origin.scheme == "https" else None
    try:
        async with asyncio.timeout(SECONDS):
            connected = await dial(origin)
            _, writer = await asyncio.open_connection(
                sock=connected, ssl=tls, server_hostname=origin.host if tls else None
            )
    except TimeoutError:
        raise NotSent(f"{origin}: no connection within {SECONDS:g} s") from None
    except OSError as error:
        # of TLS too, whose own words are the best there are
        raise NotSent(f"{origin}: {error.strerror or error}") from error
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        return
