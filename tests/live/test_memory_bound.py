"""The memory bound under attack: as many shards as you like, records of 1 MB, a function that is slow.

python -m pytest -m slow -n 0 -s tests/live/test_memory_bound.py
"""

import json
import time

import pytest

from tests.benchmarks.programs import stub
from tests.benchmarks.streams import KINESIS_ARN
from tests.live.daemon import configuration, running

pytestmark = [pytest.mark.live, pytest.mark.slow]
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "secret"}
MIB = 1024 * 1024
BASE = 150
"""MiB of a daemon that holds nothing, and then some."""
COPIES = 6
"""A record in flight stands in memory as it was read, in its event, in the request and in the buffer that is sent from;
what the allocator keeps comes on top."""
SECONDS = 30.0


@pytest.mark.parametrize(("shards", "process"), [(50, 512), (100, 64)])
def test_many_shards_of_large_records_stay_within_the_memory_bound(tmp_path, capsys, shards, process):
    """Without a reservation for each read it was 1,642 MiB with 50 shards and 3,145 MiB with 100; with one, 380 and 478."""
    mapping = {
        "name": "m",
        "event_source_arn": KINESIS_ARN,
        "function_name": "fn",
        "starting_position": "TRIM_HORIZON",
    }
    with stub(tmp_path) as service:
        service.control("/_ctl?invoke_ms=4000")
        service.control(f"/_load?messages={40 * shards}&source=kinesis&shards={shards}&size={MIB}")
        settings = {"aws": {"region": "us-east-1", "endpoint_url": service.url}, "max_bytes_in_flight": process * MIB}
        bound = min(64, process)
        with running(configuration(tmp_path, mapping, **settings), ENVIRONMENT) as daemon:
            daemon.wait_until_running("m")
            reasons = set()
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                status = daemon.status()["m"]
                reasons.add((status["reason"] or {}).get("code"))
                time.sleep(0.5)
            delivered = status["counters"]["delivered"]
            peak = daemon.memory("VmHWM")
            report = service.control("/_ledger")
            started = {partition["id"] for partition in status["partitions"] if partition["position"]}
            with capsys.disabled():
                text = f"{shards} shards: {peak:.0f} MiB at most, {delivered} delivered, {len(started)} shards went on"
                print(f"\n{text}; reasons {sorted(map(str, reasons))}; {json.dumps(report.get('calls', {}))}")  # noqa: T201
            assert peak < BASE + COPIES * bound
            assert "memory" in reasons
            assert len(started) == shards, "no shard starves"
