"""`poller check --connect` for functions that run here: what of them is not on this machine."""

import importlib.util
import json

import pytest

from poller.cli.connect import reach_all
from poller.configuration import load
from tests.cli.connecting import QUEUE, Served, lines
from tests.fakes.aws import FakeAws


@pytest.fixture
def looked(tmp_path):
    """What is found about a function with this entry."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/run").write_text("#!/bin/sh\n")
    (tmp_path / "app/run").chmod(0o755)
    (tmp_path / "app/data").write_text("")
    (tmp_path / "app/shop").mkdir()
    for name in ("orders.py", "shop/__init__.py", "shop/carts.py"):
        (tmp_path / "app" / name).write_text("raise AssertionError('it is not run for a look')\n")

    async def look(entry):
        path = tmp_path / "poller.json"
        mapping = {"event_source_arn": QUEUE, "function_name": "here"}
        functions = {"here": {"type": "runtime", **entry}}
        path.write_text(json.dumps({"functions": functions, "event_source_mappings": [mapping]}))
        aws = FakeAws()
        aws.queue("orders")
        found = await reach_all(load([path], environ={}), Served(aws))
        [tries] = [target.tries for target in found if target.name == "here"]
        return tries

    return look


@pytest.mark.parametrize(
    "entry",
    [
        {"command": ["false"]},
        {"command": ["./run"], "handler": "what.ever"},
        {"handler": "orders.handler"},
        {"handler": "shop.carts.handler"},
        {"handler": "shop/carts.handler"},
        {"handler": "json.tool.main"},
    ],
    ids=lambda entry: entry.get("handler", entry.get("command")),
)
async def test_what_is_here_is_ok_and_not_run(looked, monkeypatch, entry):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: True)
    found = await looked({"code": "app", **entry})
    assert found.ok, lines(found)
    assert "not tried: the function itself (it is started with the daemon)" in lines(found)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"command": ["no-such-program"]}, "command: there is no program 'no-such-program'; install it"),
        ({"command": ["false"], "environment": {"PATH": "/nowhere"}}, "there is no program 'false'"),
        ({"command": ["./walk"]}, "there is no program './walk'"),
        ({"command": ["./data"]}, "there is no program './data'"),
        ({"handler": "no_such.handler"}, "'no_such.handler' needs a module no_such, and there is none in"),
        ({"handler": "shop.none.handler"}, "needs a module shop.none, and there is none in"),
        ({"handler": "orders.more.handler"}, "needs a module orders.more, and there is none in"),
    ],
)
async def test_what_is_not_here_is_said(looked, monkeypatch, entry, said):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: True)
    found = await looked({"code": "app", **entry})
    assert found.answer == "missing"
    assert said in lines(found)
    assert "not tried" not in lines(found)


async def test_without_lambdas_client_what_installs_it_is_said(looked, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    found = await looked({"code": "app", "handler": "orders.handler"})
    assert found.answer == "missing"
    assert "awslambdaric, which runs Python handlers, is not installed" in lines(found)


async def test_where_others_start_the_runtimes_it_is_said_that_they_are_not_asked(looked):
    found = await looked({"runtime_listen": "127.0.0.1:9001"})
    assert found.ok
    assert "not tried: whether a runtime asks 127.0.0.1:9001" in lines(found)
