"""The measurement of single invocations measures every type."""

import importlib.util

import pytest

from tests.benchmarks.invocations import FRONT_DOOR, costs, ways

pytestmark = pytest.mark.real_time


@pytest.mark.skipif(importlib.util.find_spec("awslambdaric") is None, reason="pip install 'poller[runtime]'")
async def test_every_type_is_measured():
    found = await costs(5)
    assert found.keys() == {*ways(), FRONT_DOOR}
    assert all(one.latency > 0 for one in found.values())
    assert [what for what, one in found.items() if one.workers] == [
        what for what in found if what.startswith("runtime")
    ]
