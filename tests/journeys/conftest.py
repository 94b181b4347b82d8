"""`--seeds N`: how many random journeys of each kind; the everyday number is 20, and 10 with windows, consumers, aggregates."""

import pytest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption("--seeds")))
    if "special_seed" in metafunc.fixturenames:
        # plain journeys meet most of what these do
        metafunc.parametrize("special_seed", range((metafunc.config.getoption("--seeds") + 1) // 2))
