"""`poller check` says what a crash may repeat of streams, and what keeping their positions costs."""

import json
from typing import Any

import pytest

from poller.cli.main import main

STREAM: dict[str, Any] = {
    "name": "clicks",
    "event_source_arn": "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks",
    "function_name": "f",
    "starting_position": "LATEST",
}
QUEUE = {"name": "orders", "event_source_arn": "arn:aws:sqs:eu-west-1:123456789012:orders", "function_name": "f"}


@pytest.fixture
def checked(tmp_path, capsys):
    def check(state, *mappings):
        functions = {"f": {"type": "http", "url": "http://127.0.0.1:1"}}
        whole = {"state": state, "functions": functions, "event_source_mappings": mappings}
        (tmp_path / "poller.json").write_text(json.dumps(whole))
        with pytest.raises(SystemExit) as ended:
            main(["check", "--config", str(tmp_path / "poller.json")])
        assert not ended.value.code
        return capsys.readouterr().out

    return check


def test_what_a_crash_may_repeat_follows_from_lanes_and_batches(checked):
    several = STREAM | {"name": "views", "event_source_arn": STREAM["event_source_arn"].replace("clicks", "views")}
    several = several | {"parallelization_factor": 5, "batch_size": 20}
    out = checked("memory:", STREAM, several, QUEUE)
    assert "records of each shard that a crash may deliver again, at most: clicks 200, views 200\n" in out
    assert "cost" not in out


def test_a_queue_has_no_positions(checked):
    assert "crash" not in checked("dynamodb://positions?region=eu-west-1", QUEUE)


def test_the_price_of_a_table_is_said(checked):
    out = checked("dynamodb://positions?region=eu-west-1", STREAM)
    assert "what the positions cost: 1.62 USD a month for each write a second" in out
    assert "at most: clicks 200, and those of the last 1 s, the interval between two writes\n" in out


def test_a_database_costs_commits(checked):
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'poller[postgresql]'")
    assert "one commit of the database for all batches" in checked("postgresql://poller@db/poller", STREAM)
