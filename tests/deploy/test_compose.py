"""The parts of the compose file work together, as processes here instead of containers there."""

import os
import sys

import pytest

from tests.deploy.tools import DEPLOY, run
from tests.live.daemon import running, until
from tests.servers.account import Account
from tests.servers.process import free_port, server

pytestmark = [pytest.mark.slow, pytest.mark.live]

COMPOSE = DEPLOY / "compose"
ORDERS = 100
FAILING = 10
"""Every tenth order fails the first time."""


@pytest.fixture
def function_url(tmp_path):
    port = free_port()
    with server([sys.executable, str(COMPOSE / "handler.py"), str(port)], port, "/", tmp_path, {}) as url:
        yield url


def test_every_order_is_shipped_and_those_that_fail_at_first_are_seen_again(ministack_url, function_url, tmp_path):
    account = Account(ministack_url, "100000000777", "us-east-1")
    environment = {"PATH": os.environ["PATH"], **account.environment()}
    seeded = run(sys.executable, COMPOSE / "orders.py", env=environment)
    assert seeded.returncode == 0, seeded.stderr
    text = (COMPOSE / "poller.yaml").read_text(encoding="utf-8")
    text = text.replace("http://aws:4566", ministack_url).replace("http://function:8080", function_url)
    text = text.replace("000000000000", account.account).replace("log: {format: console}", "api: {listen: 127.0.0.1:0}")
    config = tmp_path / "poller.yaml"
    config.write_text(text + '\nstate: "memory:"\n', encoding="utf-8")
    with running(config, account.environment()) as daemon:
        until(lambda: daemon.status()["orders"]["counters"]["delivered"] == ORDERS, "all orders to be shipped")
        ended = daemon.stop()["orders"]
    assert ended["delivered"] == ORDERS
    assert ended["polled"] == ORDERS + FAILING
    account.close()
