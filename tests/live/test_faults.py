"""Mixed load while connections break, services fail and throttle, and credentials expire, all the time."""

import json

import pytest

from tests.live.mixed_load import MixedLoad
from tests.servers.faulty_proxy import FAULTS

pytestmark = pytest.mark.live

PEAK_MIB = 120.0
MOST_GROWTH_MIB = 5.0
"""Between the second quarter of a long run and its last."""
MOST_MORE_DESCRIPTORS = 10
"""The same of open files and sockets."""


@pytest.mark.heavy
def test_faults_of_every_kind_lose_nothing_and_delete_nothing_early(ministack, tmp_path):
    load = MixedLoad(ministack, tmp_path, seconds=12, seed=1)
    load.run()
    assert set(load.proxy.faults) == {*FAULTS, "expired"}
    assert max(load.memory) < PEAK_MIB


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["lean", "aiobotocore"])
def test_minutes_of_faults_lose_nothing_delete_nothing_early_and_leave_memory_and_descriptors_flat(
    ministack, tmp_path, pytestconfig, capsys, transport
):
    seconds = pytestconfig.getoption("minutes") * 60
    load = MixedLoad(ministack, tmp_path, seconds=seconds, seed=2, transport=transport)
    load.run()
    with capsys.disabled():
        print(f"\n{json.dumps(load.figures(), indent=1)}")  # noqa: T201  (figures for a person)
    assert max(load.memory) < PEAK_MIB
    assert load.grown(load.memory) < MOST_GROWTH_MIB
    assert load.grown(load.descriptors) < MOST_MORE_DESCRIPTORS
