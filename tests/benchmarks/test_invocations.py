"""The measurement of single invocations measures every type."""

import pytest

from tests.benchmarks.invocations import costs, ways

pytestmark = pytest.mark.real_time


async def test_every_type_is_measured():
    found = await costs(5)
    assert found.keys() == ways().keys()
    assert all(one.latency > 0 for one in found.values())
