"""One measurement: start the stub and a client, let the client go idle, release the load, wait until it is drained.

CPU is the client's whole process tree, start-up excluded. What the ledger says belongs to the result: a fast run that
lost a message is no result.
"""

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .cases import Case
from .processes import cpu_seconds, peak_memory_mib
from .programs import Client, MeasurementError, Stub, client, stub

_POLL = 0.05
"""Seconds between looks at the stub's progress; rarely enough to cost the stub nothing."""
_START = 20.0
"""Seconds a client may take to start and go quiet."""
_QUIET = 0.005
"""CPU seconds in half a second below which a client is idle."""
_QUIET_READING = 0.01
"""Likewise for each shard of a stream, which is read even while it is empty."""
_STUCK = 60.0
"""Seconds without a single delete after which a run is given up."""


@dataclass(frozen=True)
class Result:
    case: str
    round: int
    messages: int
    cpu_seconds: float
    messages_per_cpu_second: float
    messages_per_second: float
    """Wall rate, from the first delivery to the last delete."""
    stub_cpu_seconds: float
    peak_memory_mib: float
    calls_per_1000: float
    """Calls of the source's service per 1,000 messages, empty receives included, invocations not."""
    invocations_per_1000: float
    first_ms: float
    p50_ms: float
    p99_ms: float
    """From available to first invoked."""
    faults: dict[str, int]
    """What the ledger found wrong; empty is exact."""
    idle_cpu_ms_per_second: float | None = None
    idle_calls_per_minute: float | None = None
    ledger: dict[str, Any] = field(default_factory=dict, repr=False)


def measure(case: Case, round_number: int, progress: Callable[[float], None]) -> Result:
    """Runs a case once. `progress` is told the share of messages done. Raises MeasurementError."""
    with tempfile.TemporaryDirectory(prefix="poller-benchmark-") as name:
        folder = Path(name)
        with stub(folder, tls=case.tls) as endpoint:
            controls = "&".join(f"{name}={value:g}" for name, value in case.controls.items())
            endpoint.control(f"/_ctl?{controls}")
            # queue attributes are read at start, from an open queue
            endpoint.control(_load(case, 0))
            with client(case, endpoint.url, folder) as program:
                return _run(case, round_number, endpoint, program, progress)


def _run(case: Case, number: int, endpoint: Stub, program: Client, progress: Callable[[float], None]) -> Result:
    _wait_until_quiet(case, endpoint, program)
    idle = _idle(case.idle_seconds, endpoint, program) if case.idle_seconds else (None, None)
    with _watched(program, active=case.everything_on):
        before, stub_before = cpu_seconds(program.pid), cpu_seconds(endpoint.pid)
        endpoint.control(_load(case, case.messages))
        _wait_until_drained(case, endpoint, program, progress)
        spent, stub_spent = cpu_seconds(program.pid) - before, cpu_seconds(endpoint.pid) - stub_before
    peak = peak_memory_mib(program.pid)
    ledger = endpoint.control("/_ledger")
    calls = _source_calls(ledger)
    return Result(
        case=case.name,
        round=number,
        messages=case.messages,
        cpu_seconds=spent,
        messages_per_cpu_second=case.messages / spent,
        messages_per_second=case.messages / ledger["wall_s"] if ledger["wall_s"] else 0.0,
        stub_cpu_seconds=stub_spent,
        peak_memory_mib=peak,
        calls_per_1000=1000 * calls / case.messages,
        invocations_per_1000=1000 * ledger["invocations"] / case.messages,
        first_ms=ledger["latency_ms"]["first"],
        p50_ms=ledger["latency_ms"]["p50"],
        p99_ms=ledger["latency_ms"]["p99"],
        faults=ledger["faults"] | _unaccounted(case, program),
        idle_cpu_ms_per_second=idle[0],
        idle_calls_per_minute=idle[1],
        ledger=ledger,
    )


def _load(case: Case, messages: int) -> str:
    load = f"/_load?messages={messages}&rate={case.rate:g}&source={case.source}"
    return load if case.source == "sqs" else f"{load}&shards={case.shards}"


def _wait_until_quiet(case: Case, endpoint: Stub, program: Client) -> None:
    """Start-up is over once the client asks for messages and spends next to no CPU for half a second."""
    call, quiet = ("ReceiveMessage", _QUIET) if case.source == "sqs" else ("GetRecords", _QUIET_READING * case.shards)
    end = time.monotonic() + _START
    before = cpu_seconds(program.pid)
    while time.monotonic() < end:
        time.sleep(0.5)
        program.check()
        now = cpu_seconds(program.pid)
        if now - before < quiet and endpoint.control("/_ledger")["calls"].get(call):
            return
        before = now
    raise MeasurementError(f"it was not idle and receiving {_START:.0f} s after its start: {program.last_words()}")


def _idle(seconds: float, endpoint: Stub, program: Client) -> tuple[float, float]:
    """CPU in ms per second, and AWS calls a minute, of an empty queue."""
    calls, cpu = _source_calls(endpoint.control("/_ledger")), cpu_seconds(program.pid)
    time.sleep(seconds)
    cpu = cpu_seconds(program.pid) - cpu
    calls = _source_calls(endpoint.control("/_ledger")) - calls
    return 1000 * cpu / seconds, 60 * calls / seconds


def _source_calls(ledger: dict[str, Any]) -> int:
    """Calls of any service but the function's; an empty receive is counted under two names."""
    return sum(count for name, count in ledger["calls"].items() if name not in {"Invoke", "ReceiveMessage, empty"})


def _wait_until_drained(case: Case, endpoint: Stub, program: Client, progress: Callable[[float], None]) -> None:
    undone, moved = case.messages, time.monotonic()
    while undone:
        time.sleep(_POLL)
        program.check()
        now = int(endpoint.control("/_progress")["undone"])
        if now != undone:
            undone, moved = now, time.monotonic()
            progress(1 - undone / case.messages)
        elif time.monotonic() - moved > _STUCK:
            raise MeasurementError(f"{undone} messages not deleted, none in {_STUCK:.0f} s: {program.last_words()}")


def _unaccounted(case: Case, program: Client) -> dict[str, int]:
    """The daemon's own account, which must balance too."""
    if case.transport is None:
        return {}
    count = sum(int(mapping["unaccounted"]) for mapping in json.loads(program.read("/status"))["mappings"])
    return {"unaccounted": count} if count else {}


@contextmanager
def _watched(program: Client, *, active: bool) -> Iterator[None]:
    """Scrapes `/metrics` and reads `/status` every second meanwhile, as a monitoring system and a person do."""
    ended = threading.Event()
    problems: list[OSError] = []

    def watch() -> None:
        try:
            while not ended.wait(1.0):
                program.read("/metrics")
                program.read("/status")
        except OSError as error:
            problems.append(error)

    thread = threading.Thread(target=watch, name="watcher")
    if active:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if active:
            thread.join()
    if problems:
        raise MeasurementError(f"its /metrics or /status could not be read: {problems[0]}")
