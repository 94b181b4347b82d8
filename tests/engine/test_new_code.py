"""New code of a function that could not start: what was refused because of the old code is tried at once."""

import asyncio
from typing import Any

import pytest

from poller.configuration.model.functions import FunctionConfig
from poller.engine.functions import Functions, Use
from poller.functions.runtime_api.options import RuntimeOptions
from poller.policy.circuit import OPENS_AFTER
from poller.runtime.stop import Stop
from tests.engine.house import LocalTransports
from tests.fakes.aws import FakeAws
from tests.functions.runtime.workers import ARN

pytestmark = pytest.mark.real_time


@pytest.mark.parametrize("refusals", [1, OPENS_AFTER])
async def test_a_batch_that_is_held_since_the_function_cannot_start_is_tried_at_once_with_new_code(tmp_path, refusals):
    (tmp_path / "app").write_text("broken")
    options = RuntimeOptions(command=("/no/such/program",), code=tmp_path)
    use = Use(FunctionConfig(key="fn", type="runtime", options=options, timeout_seconds=30), "eu-west-1", ARN)
    functions = Functions(LocalTransports(FakeAws()), lambda: 0.5)
    function: Any = await functions.take(use)
    breaker, time = functions.breaker(use), asyncio.get_running_loop().time
    await asyncio.wait(function.code.tasks)
    for _ in range(refusals):
        breaker.end(await function.invoke(b"{}"), time(), breaker.begin())
    assert breaker.is_open == (refusals == OPENS_AFTER)
    held = asyncio.create_task(breaker.wait(3600, Stop()))
    await asyncio.sleep(0)
    (tmp_path / "app").write_text("mended")
    functions.refresh()
    assert await asyncio.wait_for(held, 60) is False
    assert not breaker.is_open
    await functions.release(use)
    await functions.close()
