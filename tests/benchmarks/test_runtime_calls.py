"""The measurement of single invocations measures."""

import importlib.util

import pytest

from tests.benchmarks.runtime_calls import costs

pytestmark = pytest.mark.real_time


@pytest.mark.skipif(importlib.util.find_spec("awslambdaric") is None, reason="pip install 'poller[runtime]'")
async def test_every_way_is_measured():
    found = await costs(10)
    assert len(found) == 3
    assert all(one.latency > 0 for one in found.values())
