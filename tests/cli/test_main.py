"""The command line: what it prints, and the code it ends with."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from poller import __version__
from poller.cli.main import main
from poller.configuration import ApiSettings
from poller.daemon.api.server import serve
from poller.policy.advice import ADVICE
from poller.ports.daemon_status import Changes, ConfigurationStatus, Reloaded
from poller.ports.status import Account, Lag, LaneStatus, LastFailure, MappingState, PartitionStatus, Reason, ReasonCode
from poller.support.built import built
from tests.daemon.samples import STARTED_AT, Reloading, Steered, a_daemon, a_mapping, with_lanes
from tests.present import present

CHECKOUT = Path(__file__).parents[2]
AS_MODULE = [sys.executable, "-m", "poller"]
MAPPINGS = """
event_source_mappings:
  - name: orders
    event_source_arn: arn:aws:sqs:eu-west-1:123456789012:orders
    function_name: thumbnails
  - name: audit
    event_source_arn: arn:aws:sqs:eu-west-1:123456789012:audit
    function_name: audit
    enabled: false
"""


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch, tmp_path):
    """No configuration of the checkout is found."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def poller(capsys):
    """Run a command; its code, and what it printed."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments)])
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return run


@contextmanager
def a_running_daemon(tmp_path, *mappings, token=None, reloaded=None, **values):
    """Serves a status on a Unix socket from a thread of its own; yields the path of its configuration."""
    settings = {"listen": f"unix:{tmp_path}/api.sock", **({"token": token} if token else {})}
    listening, loop, end = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def run():
        status = a_daemon(*mappings, started=loop.time(), **values)
        async with serve(
            status, ApiSettings.model_validate(settings), Steered(status), Reloading(reloaded), wall=lambda: STARTED_AT
        ):
            listening.set()
            await end.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert listening.wait(10)
        configuration = tmp_path / "running.json"
        configuration.write_text(json.dumps({"api": settings}))
        yield configuration
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


def test_it_runs_as_a_module_and_tells_its_version():
    command = [*AS_MODULE, "--version"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert ended.stdout == f"poller {__version__} ({built()})\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dance"], "No such command 'dance'"),
        (["check", "--colour"], "No such option: --colour"),
        (["status", "a", "b"], "unexpected extra argument"),
        (["health", "--api"], "Option '--api' requires an argument"),
    ],
)
def test_bad_usage_ends_with_2_and_plain_words(poller, arguments, said):
    code, _, err = poller(*arguments)
    assert code == 2
    assert said in err
    assert "Traceback" not in err
    assert err.isascii(), "no frames around it"


def ended_by(error):
    """The end of a process whose command raises this."""
    script = f"""
from poller.cli.main import app, main
from poller.values.errors import EnvironmentProblem

@app.command()
def fail():
    raise {error}

main(["fail"])
"""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=CHECKOUT)


def test_a_bug_ends_with_70_its_traceback_logged_and_a_word_to_the_user():
    ended = ended_by("KeyError('lane')")
    assert ended.returncode == 70
    assert "command_failed" in ended.stderr
    assert "Traceback (most recent call last)" in ended.stderr
    assert ended.stderr.endswith("a bug of ours ended the command (KeyError); please report the lines above\n")


def test_what_the_machine_does_not_give_ends_with_69_and_one_line():
    ended = ended_by("EnvironmentProblem('127.0.0.1:8642 is already in use')")
    assert (ended.returncode, ended.stderr) == (69, "poller: 127.0.0.1:8642 is already in use\n")


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_bad_configuration_ends_with_2_and_all_its_problems(poller, tmp_path, command):
    file = tmp_path / "bad.yaml"
    file.write_text("api: {listen: nowhere}\nlog: {level: loud}\ncolour: red\n")
    code, out, err = poller(command, "--config", file)
    assert (code, out) == (2, "")
    assert [word in err for word in ("listen", "level", "colour")] == [True] * 3
    assert all(line.startswith(f"poller: {file}:") for line in err.splitlines())


def test_check_shows_the_mappings_it_would_run(poller, tmp_path):
    (tmp_path / "poller.yaml").write_text(MAPPINGS)
    code, out, err = poller("check")
    assert (code, err) == (0, "")
    header, orders, audit, last = out.splitlines()
    assert orders.split() == [
        *("orders", "arn:aws:sqs:eu-west-1:123456789012:orders", "thumbnails", "lambda"),
        *("10", "0", "s", "5", "to", "1250", "yes"),
    ]
    assert (audit.split()[0], audit.split()[-1]) == ("audit", "no")
    assert last == "the configuration is valid: 2 mappings, from poller.yaml"
    assert header.startswith("mapping")


def test_check_warns_of_what_is_probably_not_meant(poller, tmp_path):
    (tmp_path / "poller.yaml").write_text(MAPPINGS + "functions: {thumbnail: {type: http, url: 'http://x/'}}\n")
    code, out, err = poller("check")
    assert (code, out.splitlines()[-1]) == (0, "the configuration is valid: 2 mappings, from poller.yaml")
    assert err.startswith("warning: poller.yaml:5: function_name thumbnails is no key of functions")


@pytest.mark.parametrize("command", ["run", "check", "iam-policy"])
@pytest.mark.parametrize(
    "case",
    [
        (
            {},
            [],
            ["poller: no configuration was found; looked at: $POLLER_CONFIG (not set), HERE/poller.yaml, /etc/poll"],
        ),
        (
            {"poller.yaml": "log: {level: info}\n"},
            [],
            ["poller: no event source mapping is configured; add event_source_mappings, or say --allow-empty"],
        ),
        (
            {"d/notes.txt": ""},
            ["--config", "d"],
            ["poller: d: holds no *.yaml", "poller: no event source mapping is configured"],
        ),
    ],
)
def test_a_configuration_that_is_not_there_or_empty_ends_with_2(poller, tmp_path, command, case):
    files, arguments, expected = case
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    code, out, err = poller(command, *arguments)
    assert (code, out) == (2, "")
    said = zip(err.splitlines(), expected, strict=True)
    assert all(line.startswith(start.replace("HERE", str(tmp_path))) for line, start in said)


def test_an_empty_configuration_may_be_allowed_one_that_is_not_there_may_not(poller, tmp_path):
    assert poller("check", "--allow-empty")[0] == 2
    (tmp_path / "poller.yaml").write_text("")
    code, out, err = poller("check", "--allow-empty")
    assert (code, out) == (0, "the configuration is valid: 0 mappings, from poller.yaml\n")
    assert err == "warning: no event source mapping is configured; nothing will be polled\n"


def test_check_says_which_files_it_read(poller, tmp_path):
    (tmp_path / "poller.yaml").write_text(MAPPINGS)
    (tmp_path / ".env").write_text("POLLER_LOG__LEVEL=debug\n")
    assert poller("check")[1].endswith("the configuration is valid: 2 mappings, from poller.yaml, .env\n")


def test_status_shows_each_mapping_and_why_it_stands_still(poller, tmp_path):
    throttled = LaneStatus(ReasonCode.THROTTLED)
    mappings = [
        with_lanes(throttled, account=Account(polled=7, delivered=4, deleted=4), in_flight=lambda: 3),
        a_mapping("clicks", state=MappingState.DISABLED),
    ]
    with a_running_daemon(tmp_path, *mappings) as configuration:
        code, out, err = poller("status", "--config", configuration)
    assert (code, err) == (0, "")
    _, orders, clicks, last = out.splitlines()
    assert orders.split()[:2] == ["orders", "degraded"]
    assert "throttled: asked to slow down; tried again soon (since " in orders
    assert orders.split()[-7:] == ["7", "4", "0", "0", "4", "3", "-"]
    assert clicks.split()[:3] == ["clicks", "disabled", "disabled:"]
    assert last == "poller 1.2.3, running since 2026-01-01T00:00:00.000Z"


def test_status_of_one_mapping_shows_its_lanes(poller, tmp_path):
    mappings = [with_lanes(LaneStatus(ReasonCode.INVOKING), LaneStatus(ReasonCode.WINDOW)), a_mapping("clicks")]
    with a_running_daemon(tmp_path, *mappings) as configuration:
        code, out, _ = poller("status", "orders", "--config", configuration)
    assert code == 0
    assert "the function is running" in out
    assert "gathering a batch" in out
    assert "clicks" not in out


def test_why_says_what_stands_still_and_what_to_do_about_it(poller, tmp_path):
    stuck = LaneStatus(
        ReasonCode.RETRY, "retry 7 of 20, 3 records from sequence number 49: boom", since=1.0, next_try=1e9
    )
    shards = [
        PartitionStatus("shard-0", lanes=[stuck]),
        PartitionStatus("shard-1", lanes=[LaneStatus(ReasonCode.NO_DATA)]),
        PartitionStatus("shard-2", lanes=[LaneStatus(ReasonCode.NO_DATA)]),
    ]
    waiting = [PartitionStatus("shard-3", reason=Reason(ReasonCode.PARENT, "waits for the end of shard-0"))]
    lag = Lag(seconds=300.0, expires_in_seconds=5_000.0)
    mappings = [a_mapping("clicks", partitions=shards, waiting=waiting, lag=lambda: lag), a_mapping("orders")]
    with a_running_daemon(tmp_path, *mappings) as configuration:
        code, out, err = poller("why", "--config", configuration)
        _, one, _ = poller("why", "orders", "--config", configuration)
    assert (code, err, one) == (0, "", "orders: running\n")
    heading, reason, advice, behind, note, first, second, rest, blank, orders = out.splitlines()
    assert (heading, blank, orders) == ("clicks: degraded", "", "orders: running")
    assert reason.startswith("  retry 7 of 20, 3 records from sequence number 49: boom (since ")
    assert "maximum_retry_attempts" in advice
    assert behind == "  behind: 5 min, expires in 83 min"
    assert "expires at the source in 83 min, before" in note
    assert first.startswith("  shard-0: retry 7 of 20")
    assert second == "  shard-3: waits for the end of shard-0"
    assert rest == "  and 2 no_data"


def test_a_refused_reload_and_a_hung_step_are_told_by_status_and_why(poller, tmp_path):
    refused = ConfigurationStatus(STARTED_AT, STARTED_AT + 60, ["poller.yaml:3: batch_size: must be at most 10"])
    hangs = [lambda: "the state file state.db: no answer for 31 s"]
    with a_running_daemon(tmp_path, a_mapping(), configuration=refused, steps=hangs) as configuration:
        outs = [poller(command, "--config", configuration)[1] for command in ("status", "why")]
    for out in outs:
        assert "the daemon is unhealthy: the state file state.db: no answer for 31 s\n" in out
        assert "the configuration was changed and refused at" in out
        assert "  poller.yaml:3: batch_size: must be at most 10" in out


def test_the_last_failure_is_told_by_why_and_with_its_log_by_status(poller, tmp_path):
    failed = a_mapping(last_failure=LastFailure(100.0, "function_error: KeyError: x", "r-1", "START r-1"))
    with a_running_daemon(tmp_path, failed) as configuration:
        why, status = (poller(command, "orders", "--config", configuration)[1] for command in ("why", "status"))
    assert ": function_error: KeyError: x\n" in why
    assert "function_error: KeyError: x (" in status
    assert "START r-1" in status


def test_why_of_a_daemon_without_mappings_says_so(poller, tmp_path):
    with a_running_daemon(tmp_path) as configuration:
        assert poller("why", "--config", configuration) == (0, "no mappings\n", "")


def test_every_advice_is_for_a_reason_there_is():
    assert {cause for cause in ADVICE if "." not in cause and cause != "failed"} <= {code.value for code in ReasonCode}


def test_records_nobody_answers_for_are_pointed_out(poller, tmp_path):
    with a_running_daemon(tmp_path, a_mapping(account=Account(polled=2))) as configuration:
        assert "orders: 2 records are unaccounted for" in poller("status", "--config", configuration)[1]


def test_status_as_json_is_what_the_daemon_says(poller, tmp_path):
    with a_running_daemon(tmp_path, a_mapping(), a_mapping("clicks")) as configuration:
        _, everything, _ = poller("status", "--json", "--config", configuration)
        _, one, _ = poller("status", "clicks", "--json", "--config", configuration)
    assert [mapping["name"] for mapping in json.loads(everything)["mappings"]] == ["orders", "clicks"]
    assert [mapping["name"] for mapping in json.loads(one)["mappings"]] == ["clicks"]
    assert json.loads(everything)["version"] == "1.2.3"


def test_status_of_a_mapping_that_is_not_there_ends_with_1_and_names_those_that_are(poller, tmp_path):
    with a_running_daemon(tmp_path, a_mapping()) as configuration:
        code, out, err = poller("status", "order", "--config", configuration)
    assert (code, out) == (1, "")
    assert "has no mapping order; it has: orders" in err


def test_watching_ends_with_1_when_the_daemon_is_gone(poller, tmp_path, monkeypatch):
    with a_running_daemon(tmp_path, a_mapping()) as configuration:
        pass
    code, _, err = poller("status", "--watch", "--json", "--config", configuration)
    assert code == 1
    assert err.startswith("poller: no poller answers at unix:")


def test_watching_goes_on_until_interrupted_and_ends_with_0(tmp_path):
    with a_running_daemon(tmp_path, a_mapping()) as configuration:
        command = [*AS_MODULE, "status", "--watch", "--json", "--config", configuration]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT
        ) as ended:
            seen = [json.loads(present(ended.stdout).readline())["mappings"][0]["name"] for _ in range(2)]
            ended.send_signal(signal.SIGINT)
            assert (ended.wait(30), present(ended.stderr).read()) == (0, "")
    assert seen == ["orders", "orders"]


def test_health_ends_with_0_or_1(poller, tmp_path):
    with a_running_daemon(tmp_path, a_mapping()) as configuration:
        assert poller("health", "--config", configuration) == (0, "healthy\n", "")
        assert poller("health", "--api", f"unix:{tmp_path}/api.sock") == (0, "healthy\n", "")
    with a_running_daemon(tmp_path, died=["orders"]) as configuration:
        assert poller("health", "--config", configuration) == (1, "unhealthy\n", "")
    code, out, err = poller("health", "--config", configuration)
    assert (code, out) == (1, "")
    assert "is it running" in err


def test_the_token_comes_from_the_configuration(poller, tmp_path):
    with a_running_daemon(tmp_path, a_mapping(), token="s3cret") as configuration:
        assert poller("status", "--config", configuration)[0] == 0
        code, _, err = poller("status", "--api", f"unix:{tmp_path}/api.sock")
        assert code == 2
        assert "refuses the token; set api.token" in err
        assert poller("health", "--api", f"unix:{tmp_path}/api.sock")[0] == 0


def test_a_server_that_is_no_poller_is_told_apart(poller, tmp_path):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

    async def serve_one(listening, address):
        async def reply(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()
            done.set()

        done = asyncio.Event()
        async with await asyncio.start_server(reply, "127.0.0.1", 0) as server:
            address.append(server.sockets[0].getsockname()[1])
            listening.set()
            await done.wait()

    address: list[Any]
    listening, address = threading.Event(), []
    thread = threading.Thread(target=lambda: asyncio.run(serve_one(listening, address)))
    thread.start()
    assert listening.wait(10)
    code, _, err = poller("status", "--api", f"http://127.0.0.1:{address[0]}")
    thread.join()
    assert code == 1
    assert "answers 200, not the status of a poller" in err


@pytest.mark.parametrize("address", ["localhost:8642", "ftp://localhost", "unix:", "http://localhost:port", "http://"])
def test_an_address_that_cannot_be_one_ends_with_2(poller, address):
    code, _, err = poller("health", "--api", address)
    assert code == 2
    assert err == f"poller: --api {address}: must be http://HOST:PORT or unix:PATH\n"


def test_a_port_the_daemon_chose_must_be_named(poller, tmp_path):
    (tmp_path / "poller.yaml").write_text("api: {listen: '127.0.0.1:0'}\n")
    code, _, err = poller("health")
    assert code == 2
    assert "give the address it logged as api_listening with --api" in err


def test_pause_and_resume_say_what_became_of_the_mapping(poller, tmp_path):
    mapping = a_mapping("größer / kleiner")
    with a_running_daemon(tmp_path, mapping, token="s3cret") as config:
        assert poller("pause", mapping.name, "--config", config, "--dry-run") == (0, "would: It would pause.\n", "")
        assert poller("actions", "--config", config) == (0, "nothing was done by hand\n", "")
        told = f"It did pause.\n{mapping.name}: paused (by a test)\n"
        assert poller("pause", mapping.name, "--config", config, "--why", "a bad deploy\x1b[2J") == (0, told, "")
        assert poller("resume", mapping.uuid, "--config", config) == (
            0,
            f"It did resume.\n{mapping.name}: running\n",
            "",
        )
        code, out, _ = poller("actions", mapping.name, "--config", config)
        first, why, effect, second, _ = out.splitlines()
        assert (code, why, effect) == (0, "  because: a bad deploy\\x1b[2J", "  It did pause.")
        assert f"{mapping.name}: pause, by " in first
        assert second.endswith(" over the api")
        assert poller("actions", mapping.name, "--config", config, "--most", 1)[1].count("by ") == 1
        assert poller("skip", mapping.name, "--config", config) == (
            1,
            "",
            f"poller: unix:{tmp_path}/api.sock: no batch waits\n",
        )


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_a_mapping_the_daemon_does_not_have_cannot_be_steered(poller, tmp_path, command):
    with a_running_daemon(tmp_path, a_mapping("orders")) as config:
        code, out, err = poller(command, "order", "--config", config)
        assert (code, out) == (1, "")
        assert err.endswith("there is no mapping order; there are: orders\n")


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_steering_with_a_wrong_token_or_nobody_there_is_told(poller, tmp_path, command):
    (tmp_path / "other.yaml").write_text("api: {token: wrong}\n")
    with a_running_daemon(tmp_path, a_mapping("orders"), token="s3cret"):
        code, _, err = poller(command, "orders", "--config", "other.yaml", "--api", f"unix:{tmp_path}/api.sock")
        assert (code, "refuses the token" in err) == (2, True)
    code, _, err = poller(command, "orders", "--config", "other.yaml", "--api", f"unix:{tmp_path}/api.sock")
    assert (code, "no poller answers" in err) == (1, True)


@pytest.mark.parametrize("broken", ["functions: [\n", "nonsense: 1\n", "event_source_mappings: [{name: x}]\n"])
@pytest.mark.parametrize("command", ["why", "status", "health", "pause", "resume"])
def test_a_running_daemon_is_asked_though_its_configuration_was_broken_since(poller, tmp_path, command, broken):
    """They are needed most when a file was just broken."""
    arguments = ["orders"] if command in ("pause", "resume") else []
    with a_running_daemon(tmp_path, a_mapping()) as running:
        configuration = tmp_path / "poller.yaml"
        configuration.write_text(f"api: {json.dumps(json.loads(running.read_text())['api'])}\n{broken}")
        code, out, err = poller(command, *arguments, "--config", configuration)
    assert (code, bool(out)) == (0, True)
    warning, *problems = err.splitlines()
    assert warning.startswith("warning: the configuration cannot be loaded; ")
    assert problems
    assert all(problem.startswith(f"  {configuration}:") for problem in problems)


def test_a_daemon_whose_address_cannot_be_read_has_to_be_named(poller, tmp_path):
    configuration = tmp_path / "poller.yaml"
    configuration.write_text("api: [\n")
    code, out, err = poller("why", "--config", configuration)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == "poller: api.listen cannot be read: say with --api where the daemon listens"
    with a_running_daemon(tmp_path, a_mapping()) as running:
        address = json.loads(running.read_text())["api"]["listen"]
        code, out, _ = poller("health", "--config", configuration, "--api", address)
    assert (code, out) == (0, "healthy\n")


def test_a_token_that_cannot_be_read_is_a_warning_and_the_daemon_says_whether_it_wants_one(poller, tmp_path):
    with a_running_daemon(tmp_path, a_mapping()) as running:
        settings = json.loads(running.read_text())["api"]
        configuration = tmp_path / "poller.json"
        configuration.write_text(json.dumps({"api": {**settings, "token": {"file": str(tmp_path / "gone")}}}))
        code, out, err = poller("why", "--config", configuration)
    assert (code, out) == (0, "orders: running\n")
    assert "warning: " in err
    assert "gone" in err


def test_reload_says_what_it_changed(poller, tmp_path):
    changes = Changes(added=["new", "newer"], removed=["orders"], unchanged=3)
    with a_running_daemon(tmp_path, reloaded=Reloaded(changes=changes, warnings=["odd"])) as configuration:
        code, out, err = poller("reload", "--config", configuration)
    assert (code, out, err) == (0, "reloaded: added new, newer; removed orders; 3 unchanged\n", "warning: odd\n")


def test_a_refused_reload_ends_with_1_and_the_report(poller, tmp_path):
    refused = Reloaded(["poller.yaml:3: batch_size: must be at most 10", "poller.yaml:4: name: is missing"])
    with a_running_daemon(tmp_path, reloaded=refused) as configuration:
        code, out, err = poller("reload", "--config", configuration)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "poller: the changed configuration is refused, and what ran before runs on:",
        "poller: poller.yaml:3: batch_size: must be at most 10",
        "poller: poller.yaml:4: name: is missing",
    ]
