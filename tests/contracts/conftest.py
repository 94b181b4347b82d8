"""The backend of a contract test, by the name that `promise` gave."""

from collections.abc import Callable

import pytest

from tests.aws.conversation import sdk_does_not_sleep
from tests.contracts import shards as sharded
from tests.contracts.backends import Backend, Fake, Server

__all__ = ["backend", "sdk_does_not_sleep"]


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Backend:
    return Fake() if request.param == "fake" else Server(request.getfixturevalue(request.param))


@pytest.fixture
def shards(request: pytest.FixtureRequest) -> Callable[[], sharded.Backend]:
    return sharded.make(request.param, request)
