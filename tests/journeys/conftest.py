"""`--seeds N`: how many random journeys of each kind: half of them with windows, consumers and aggregates, a third of fleets.

The everyday number is 10; `.ci/run` takes 30, on the compiled wheel.
"""

import pytest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption("--seeds")))
    if "special_seed" in metafunc.fixturenames:
        # plain journeys meet most of what these do
        metafunc.parametrize("special_seed", range((metafunc.config.getoption("--seeds") + 1) // 2))
