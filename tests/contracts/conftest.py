"""The backend of a contract test, by the name that `promise` gave."""

import pytest

from tests.contracts.backends import Backend, Fake, Server


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Backend:
    return Fake() if request.param == "fake" else Server(request.getfixturevalue(request.param))
