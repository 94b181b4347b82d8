"""The example configuration of functions that run here, run."""

import contextlib
import importlib.util
import json
import random
import shutil
from pathlib import Path

import pytest
import structlog

from poller.aws.transports import Transports
from poller.configuration import load
from poller.functions.arns import arn_of
from poller.functions.runtime_api.building import Runtimes
from poller.functions.type import Place
from poller.policy.response import Succeeded

pytestmark = pytest.mark.real_time
CONFIG = Path(__file__).parents[3] / "config/runtime.yaml"


@contextlib.asynccontextmanager
async def example(name):
    """The function of the mapping that is called so, as the daemon would build it."""
    [mapping] = [one for one in load([CONFIG], environ={}).mappings if one.function.key == name]
    runtimes = Runtimes(random.random)
    function = await runtimes.build(
        mapping.function, Place(mapping.region, arn_of(mapping), Transports(structlog.get_logger()))
    )
    try:
        yield function
    finally:
        await function.close()
        runtimes.close()


def event(*bodies):
    return json.dumps({"Records": [{"messageId": f"m{at}", "body": body} for at, body in enumerate(bodies)]}).encode()


@pytest.mark.skipif(importlib.util.find_spec("awslambdaric") is None, reason="pip install 'poller[runtime]'")
async def test_the_python_handler_names_what_is_no_order():
    async with example("orders") as function:
        outcome = await function.invoke(event('{"order": 1}', "no order", "[]"))
    assert isinstance(outcome, Succeeded)
    assert json.loads(outcome.body) == {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]}


@pytest.mark.skipif(shutil.which("curl") is None, reason="install curl")
async def test_the_bootstrap_answers_each_event():
    async with example("audit") as function:
        for _ in range(2):
            outcome = await function.invoke(event("x"))
            assert isinstance(outcome, Succeeded)
            assert json.loads(outcome.body) == {"audited": True}
