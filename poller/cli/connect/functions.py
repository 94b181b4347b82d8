"""Reaches a function without running it, unless that was asked for. The row of its type says how."""

import random
from collections.abc import Awaitable, Callable

from poller.aws.transports import Transports
from poller.cli.connect.tries import Tries
from poller.configuration import FunctionConfig
from poller.functions.type import Place
from poller.functions.types import FUNCTION_TYPES
from poller.policy.response import Failed, Succeeded
from poller.values.errors import ConfigurationError

TEST_EVENT = b'{"Records": []}'
"""An event as sources make it, without any record."""

Reach = Callable[[FunctionConfig, str, Transports, Tries], Awaitable[None]]


async def reach_function(function: FunctionConfig, region: str, transports: Transports, tries: Tries) -> None:
    """Note the answers in `tries`. `region` is that of the mapping that uses the function."""
    await FUNCTION_TYPES[function.type].reach(function, region, transports, tries)


async def try_function(function: FunctionConfig, region: str, transports: Transports, tries: Tries) -> None:
    """Reach a function. Run it once with `TEST_EVENT` where nothing less shows whether it can be run, which is behind a
    URL; Lambda answers a dry run instead.
    """
    await reach_function(function, region, transports, tries)
    row = FUNCTION_TYPES[function.type]
    if row.reach_is_proof or not tries.ok:
        return
    tries.untried.clear()
    builder = row.builder(random.random)
    try:
        called = await builder.build(function, Place(region, function.function_arn or "", transports))
    except ConfigurationError as error:
        tries.blocked("error", str(error))
        return
    try:
        outcome = await called.invoke(TEST_EVENT)
    finally:
        await called.close()
        builder.close()
    tries.done.append(f"invoked once with {TEST_EVENT.decode()}")
    if not isinstance(outcome, Succeeded):
        code = outcome.error if isinstance(outcome, Failed) else getattr(outcome, "code", "too large")
        tries.blocked("failed", f"the function did not succeed: {', '.join(filter(None, (code, outcome.detail)))}")
