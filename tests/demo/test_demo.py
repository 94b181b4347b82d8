"""`poller demo`: it runs by itself, leaves nothing behind, and says yes only to an account that balances."""

import base64
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from poller.cli.main import main
from poller.demo import local_aws, orders, streams, summary, view
from poller.demo.account import Facts, StreamFacts, exit_code, problems, sentence, stream_sentence
from poller.demo.function import count, ship_orders
from poller.demo.ledger import Ledger, Tail
from poller.demo.picture import History, Picture, StreamPicture
from poller.demo.process import child
from poller.demo.shop import Depth
from poller.support.extras import how_to_install
from poller.values.errors import EnvironmentProblem

pytestmark = pytest.mark.heavy

CHECKOUT = Path(__file__).parents[2]
HOSTILE = {
    "AWS_PROFILE": "of-somebody-else",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "POLLER_LOG": '{"format": "console"}',
}
"""A user's environment that would lead every call astray."""


WITHOUT_RUNTIME = "import sys; sys.modules['awslambdaric'] = None; from poller.cli.main import main; main(sys.argv[1:])"
"""The command line where Lambda's client of the Runtime API is not installed."""


def demo(tmp_path, *arguments, start=("-m", "poller")):
    """Start `poller demo` with its temporary files below `tmp_path`."""
    return subprocess.Popen(
        [sys.executable, *start, "demo", *map(str, arguments)],
        cwd=CHECKOUT,
        env={**os.environ, **HOSTILE, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def is_listening(address):
    host, port = address.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


@pytest.mark.live
def test_accounts_for_every_order_whatever_the_users_environment_says(tmp_path):
    with demo(tmp_path, "--seconds", 2, "--messages", 60) as process:
        output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, ""), output
    # a slow machine produces fewer in the two seconds it is given
    found = re.search(
        r"every order accounted for: (\d+) produced = (\d+) delivered \+ 1 in the dead-letter queue", output
    )
    assert found, output
    produced, delivered = map(int, found.groups())
    assert orders.UNDELIVERABLE <= produced <= 60
    assert delivered == produced - 1
    assert re.search(rf"^produced +{produced} ", output, re.MULTILINE)
    assert re.search(r"^unaccounted +0 *$", output, re.MULTILINE)
    assert f"order {orders.UNDELIVERABLE}: failed on every receive" in output
    clicks = re.search(r"clicks: (\d+) produced = (\d+) delivered \+ 1 in the on-failure destination", output)
    assert clicks, output
    assert int(clicks[1]) == int(clicks[2]) + 1
    assert f"record {streams.POISON}: " in output
    assert re.search(r"stock: (\d+) produced = \1 delivered", output)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.live
@pytest.mark.slow
def test_where_functions_cannot_run_here_the_local_aws_runs_them(tmp_path):
    with demo(tmp_path, "--seconds", 2, "--messages", 60, start=("-c", WITHOUT_RUNTIME)) as process:
        output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, ""), output
    assert "type: runtime" not in output
    assert "every order accounted for" in output


@pytest.mark.live
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupted_demo_leaves_neither_process_nor_file(tmp_path, number):
    with demo(tmp_path) as process:
        shown = ""
        while "producing" not in shown:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            shown += line
        addresses = re.findall(r"http://127\.0\.0\.1:\d+", shown)
        assert len(addresses) == 2
        assert all(map(is_listening, addresses))
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors == "poller: interrupted; what the demo had started is gone\n"
    assert not any(map(is_listening, addresses))
    assert list(tmp_path.iterdir()) == []


def test_without_the_local_aws_it_says_which_extra_brings_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ministack", None)
    with pytest.raises(SystemExit) as ended:
        main(["demo"])
    assert ended.value.code == 69
    assert capsys.readouterr().err.endswith(f"not installed: {how_to_install('demo')}\n")


@pytest.mark.real_time
async def test_a_local_aws_that_cannot_start_is_quoted(tmp_path):
    failing = [sys.executable, "-c", "raise SystemExit('the port is taken')"]
    with (
        child(failing, tmp_path / "aws", {}) as process,
        pytest.raises(EnvironmentProblem, match=r"(?s)cannot start.*ended with 1.*the port is taken"),
    ):
        await local_aws.ready(process, "http://127.0.0.1:9")


def balanced(**changes):
    """Three orders: one delivered at once, one retried, one undeliverable."""
    facts = {
        "produced": {1, 2, orders.UNDELIVERABLE},
        "ledger": Ledger(Counter({1: 1, 2: 1}), Counter({2: 1, orders.UNDELIVERABLE: 6}), batches=8, crashed=1),
        "dead": [orders.UNDELIVERABLE],
        "left": 0,
        "daemon": account(),
        "exit_code": 0,
    }
    return Facts(**facts | changes)


def account(**changes):
    return {"polled": 9, "delivered": 2, "returned": 7, "deleted": 2, "in_flight": 0, "unaccounted": 0} | changes


def of_clicks(**changes):
    """Three clicks: two delivered, and the poison one told to the destination."""
    facts: dict[str, Any] = {
        "name": streams.STREAM,
        "produced": {1, 2, streams.POISON},
        "ledger": Ledger(Counter({1: 1, 2: 1}), Counter({1: 1, streams.POISON: 2}), batches=5, crashed=2),
        "given_up": [streams.POISON],
        "daemon": {"polled": 3, "delivered": 2, "on_failure_destination_delivered": 1, "returned": 0, "unaccounted": 0},
    }
    return StreamFacts(**facts | changes)


def printed(renderable, width=120):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(renderable)
    return console.export_text()


def shown(facts):
    return printed(summary.render(facts))


def test_a_balanced_account_is_told_in_one_line():
    facts = balanced()
    assert problems(facts) == []
    assert exit_code(facts) == 0
    assert sentence(facts) == "every order accounted for: 3 produced = 2 delivered + 1 in the dead-letter queue"
    assert sentence(facts) in shown(facts)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"produced": {1, 2, 3, orders.UNDELIVERABLE}}, "orders unaccounted for: 1"),
        ({"dead": []}, "orders unaccounted for: 1"),
        ({"left": 1, "dead": []}, "messages left in the queue: 1"),
        ({"dead": [orders.UNDELIVERABLE, orders.UNDELIVERABLE]}, "an order is in the dead-letter queue more than once"),
        ({"dead": [2, orders.UNDELIVERABLE]}, "delivered and in the dead-letter queue as well: 2"),
        (
            {"produced": {1, 2, 3, orders.UNDELIVERABLE}, "dead": [3, orders.UNDELIVERABLE]},
            "in the dead-letter queue, though they can be delivered: 3",
        ),
        ({"produced": {1, orders.UNDELIVERABLE}}, "delivered, but never produced: 2"),
        ({"exit_code": None}, "poller did not stop when asked to"),
        ({"exit_code": 70}, "poller ended with exit code 70"),
        ({"daemon": None}, "poller ended without its account"),
        ({"daemon": account(unaccounted=1)}, "receives poller cannot account for: 1"),
        ({"daemon": account(in_flight=1)}, "messages in flight when poller ended: 1"),
        ({"daemon": account(delivered=1, deleted=1)}, "poller counts 1 deliveries, the function 2"),
        ({"daemon": account(deleted=1)}, "poller deleted 1 of 2 delivered messages"),
    ],
)
def test_an_account_that_was_tampered_with_is_found_out(changes, problem):
    facts = balanced(**changes)
    assert exit_code(facts) == 1
    assert problem in problems(facts)
    assert sentence(facts).startswith("not every order is accounted for: ")
    assert problem in shown(facts)


def test_an_order_delivered_twice_is_told_and_no_loss():
    facts = balanced(
        ledger=Ledger(Counter({1: 1, 2: 2}), Counter({2: 1, orders.UNDELIVERABLE: 6}), batches=8),
        daemon=account(polled=10, delivered=3, deleted=3),
    )
    assert exit_code(facts) == 0
    assert re.search(r"delivered again +1 ", shown(facts))


def test_a_stream_s_account_is_told_with_its_poison():
    clicks = of_clicks()
    facts = balanced(streams=[clicks])
    assert problems(facts) == []
    assert stream_sentence(clicks) == "clicks: 3 produced = 2 delivered + 1 in the on-failure destination"
    assert stream_sentence(clicks) in shown(facts)
    assert f"record {streams.POISON}: 2 invocations failed" in shown(facts)
    assert "3 read = 2 delivered + 1 given up" in shown(facts)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"given_up": []}, "records unaccounted for: 1"),
        ({"given_up": [streams.POISON] * 2}, "a record is in the on-failure destination more than once"),
        ({"given_up": [2, streams.POISON]}, "given up, though they can be read: 2"),
        ({"ledger": Ledger(Counter({1: 1, 2: 1, streams.POISON: 1}))}, "a poison record was delivered"),
        ({"ledger": Ledger(Counter({1: 2, 2: 1}))}, "poller counts 2 deliveries, the function 3"),
        ({"daemon": of_clicks().daemon | {"unaccounted": 1}}, "records poller cannot account for: 1"),
        (
            {"daemon": of_clicks().daemon | {"on_failure_destination_delivered": 2}},
            "poller counts 2 given up, the destination 1",
        ),
    ],
)
def test_a_stream_s_account_that_was_tampered_with_is_found_out(changes, problem):
    facts = balanced(streams=[of_clicks(**changes)])
    assert exit_code(facts) == 1
    assert f"clicks: {problem}" in problems(facts)


def test_a_poison_click_fails_the_batch_it_is_in(ledger):
    clicks = [
        {"kinesis": {"data": base64.b64encode(streams.click(number)).decode()}}
        for number in range(streams.POISON, streams.POISON + 3)
    ]
    with pytest.raises(count.UnreadableClick, match="one of 3"):
        count.handler({"Records": clicks}, None)
    count.handler({"Records": clicks[1:]}, None)
    count.handler({"Records": [{"dynamodb": {"Keys": {"number": {"N": "9"}}}}]}, None)
    found = Ledger()
    for line in ledger.lines():
        found.add(line)
    assert set(found.shipped) == {streams.POISON + 1, streams.POISON + 2, 9}
    assert found.failed[streams.POISON] == found.crashed == 1


@pytest.fixture
def ledger(monkeypatch, tmp_path):
    monkeypatch.setenv("LEDGER", str(tmp_path / "ledger.jsonl"))
    monkeypatch.setattr(ship_orders, "SECONDS_PER_BATCH", 0.0)
    return Tail(tmp_path / "ledger.jsonl")


def receive(receives):
    """Invoke the function with orders by number, each on the given receive; the numbers it did not ship."""
    records = [
        {"messageId": f"m{number}", "body": orders.body(number), "attributes": {"ApproximateReceiveCount": str(count)}}
        for number, count in receives.items()
    ]
    try:
        answer = ship_orders.handler({"Records": records}, None)
    except ship_orders.DispatchFailed:
        return set(receives)
    return {int(failure["itemIdentifier"][1:]) for failure in answer["batchItemFailures"]}


@pytest.mark.parametrize("batch_size", [1, 3, 10])
def test_every_order_fails_twice_at_most_but_one_that_always_does(ledger, batch_size):
    """In whatever company it is received: failed orders are received again in the batches after the next."""
    receives: Counter[Any]
    ended: Counter[Any]
    waiting, receives, ended = list(range(1, 201)), Counter(), Counter()
    while waiting:
        batch, waiting = waiting[:batch_size], waiting[batch_size:]
        receives.update(batch)
        failed = receive({number: receives[number] for number in batch})
        again = [number for number in failed if receives[number] < orders.MOST_RECEIVES]
        waiting[20:20] = sorted(again)
        ended.update({number: receives[number] for number in batch if number not in again})
    assert ended.pop(orders.UNDELIVERABLE) == orders.MOST_RECEIVES
    assert set(ended.values()) == {1, 2, 3}
    found = Ledger()
    for line in ledger.lines():
        found.add(line)
    assert set(found.shipped) == set(range(1, 201)) - {orders.UNDELIVERABLE}
    assert set(found.shipped.values()) == {1}
    assert found.shipped.total() + found.failed.total() == receives.total()
    assert 0 < found.crashed < found.batches


def test_half_a_line_waits_for_its_other_half(tmp_path):
    file = tmp_path / "log"
    tail = Tail(file)
    assert tail.lines() == []
    file.write_text("one\ntw")
    assert tail.lines() == ["one"]
    assert tail.lines() == []
    file.write_text("one\ntwo\n")
    assert tail.lines() == ["two"]


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=6), st.integers(40, 200))
def test_the_bar_is_full_and_shows_every_share(numbers, width):
    cells = view.proportional(numbers, width)
    assert sum(cells) == width
    if any(numbers):
        assert [cell > 0 for cell in cells] == [number > 0 for number in numbers]


def a_picture(elapsed=1.0, produced=620):
    reason = {"code": "invoking", "text": "the function is running"}
    mapping = {
        "counters": {"polled": 700, "returned": 100, "invoked": 690},
        "in_flight": 10,
        "reason": reason,
        "partitions": [{"lanes": [reason, reason, {"code": "no_data", "text": ""}]}],
    }
    events = [
        {"timestamp": "2026-01-01T10:11:12.5Z", "level": "warning", "event": "batch_failed", "why": "x" * 200}
    ] * 4
    clicks = {"counters": {"on_failure_destination_delivered": 1}, "reason": reason}
    shown = StreamPicture("clicks", "Kinesis", produced, 500, 7, clicks), StreamPicture("stock", "DynamoDB", 620, 620)
    return Picture(elapsed, "producing", 1000, produced, 590, 120, Depth(12, 24, 1), mapping, events, shown)


def test_the_live_view_fits_a_small_terminal_and_shows_rates_batches_retries_reasons_and_log():
    history = History()
    for step in range(5):
        history.add(a_picture(step * 0.5, 500 + 30 * step))
    text = printed(view.draw(a_picture(), history, 20), width=80)
    assert len(text.splitlines()) < 24
    for expected in (
        "620 of 1,000",
        "60/s",
        "/s received",
        "dead letters 1",
        "10 in flight",
        "14 to retry",
        "590 delivered",
        "120 of 5.8 orders",
        "100 receives failed",
        "●●·  2 invoking, 1 no data",
        "the function is running",
        "10:11:12 batch_failed",
        "500 of 620 delivered, 7 batches failed and halved, 1 in the destination",
        "stock    620 of 620 delivered",
    ):
        assert expected in text, text


def test_without_a_terminal_the_same_is_told_in_a_line():
    assert view.plain(a_picture()) == (
        "  1.0 s  producing: 620 produced, 590 delivered, 100 returned, 10 in flight, 14 to be retried, 12 waiting, "
        "1 in the dead-letter queue (the function is running); clicks: 620 produced, 500 delivered, 1 given up; "
        "stock: 620 produced, 620 delivered, 0 given up"
    )


def test_an_order_says_in_its_body_how_it_fails():
    plans = Counter(json.loads(orders.body(number)).get("fails") for number in range(1, 1001))
    assert plans["always"] == 1
    assert all(plans[plan] > 0 for plan in ("once", "twice", "with its batch"))
    assert plans[None] > 800
