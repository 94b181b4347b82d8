"""The code as bandit sees it."""

import importlib.util

import pytest

from tests.audit import bandit


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("bandit") is None, reason="bandit: pip install 'poller[audit]'")
def test_bandit_finds_nothing_that_is_not_argued():
    assert bandit() == []
