"""The programs of docs/embedding that embed poller, run as they are against a local AWS."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.daemon import configuration

pytestmark = [pytest.mark.live, pytest.mark.heavy]

ROOT = Path(__file__).parents[2]


def printed_by(program, account, *arguments):
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": os.environ["HOME"]}
    done = subprocess.run(
        [sys.executable, ROOT / "docs/embedding" / program, *map(str, arguments)],
        env=environment | account.environment(),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_a_program_handles_the_messages_of_a_queue_with_its_own_function(moto):
    url = moto.create_queue("orders")
    moto.send_batch(url, [str(number) for number in range(25)])
    *orders, last = printed_by("orders.py", moto, moto.queue_arn("orders"))
    assert sorted(int(line.split()[1].strip(",")) for line in orders) == list(range(25))
    assert last == "25 delivered, 0 unaccounted for"


def test_a_program_runs_mappings_of_files_beside_its_own(ministack, tmp_path):
    returns = {"name": "returns", "event_source_arn": ministack.queue_arn("returns"), "function_name": "count"}
    ministack.create_queue("returns")
    kinesis = ministack.client("kinesis")
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    kinesis.put_records(StreamName="clicks", Records=[{"Data": b"x", "PartitionKey": "k"}] * 7)
    arn = f"arn:aws:kinesis:{ministack.region}:{ministack.account}:stream/clicks"
    printed = printed_by(
        "from_files.py", ministack, configuration(tmp_path, returns | {"receive_wait_seconds": 1}), arn
    )
    assert sum(int(line.split()[0]) for line in printed if line.endswith(" clicks")) == 7
    # the empty queue may be settled before the function has printed the first record
    told = [line for line in printed if not line.endswith(" clicks")]
    assert told == ["returns: running, 0 delivered", "clicks: running, 7 delivered"]
