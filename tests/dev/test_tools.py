"""What `init`, `new function`, `events sample`, `invoke` and `send` write and say."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from poller.cli.main import main
from poller.configuration import load
from poller.engine.judging import judge
from poller.policy.response import Failed, NotInvoked, Outcome, Succeeded, TooLarge
from poller.sources.kinds import KINDS, parse_source

MADE = [name for name, kind in KINDS.items() if kind.development is not None]
Command = Callable[..., tuple[int, str, list[str]]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in an empty folder: exit code, output, lines on stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, list[str]]:
        with pytest.raises(SystemExit) as ended:
            main([*arguments])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err.splitlines()

    return run


@pytest.mark.parametrize("kind", MADE)
def test_what_init_writes_passes_the_check(command: Command, kind: str):
    pytest.importorskip("awslambdaric", reason="pip install awslambdaric: it runs Python handlers")
    assert command("init", "--source", kind, "--name", "things", "--function", "handle-it")[0] == 0
    (mapping,) = load(None, environ={}).mappings
    assert (mapping.name, mapping.source.kind, mapping.source.name) == ("things", kind, "things")
    assert mapping.function.key == "handle-it"
    assert command("check")[0] == 0


@pytest.mark.parametrize("kind", MADE)
def test_the_sample_is_the_event_that_the_source_itself_makes(command: Command, kind: str):
    code, out, _ = command("events", "sample", kind, "--records", "3")
    records = json.loads(out)["Records"]
    row = KINDS[kind]
    assert row.development is not None
    assert (code, len(records), row.sign in records[0]) == (0, 3, True)
    assert len({row.development().identifier(record) for record in records}) == 3
    view, _payload = row.split(records[0])
    assert view
    assert parse_source(row.development().example).kind == kind


def test_the_test_that_a_new_function_comes_with_passes(command: Command, tmp_path: Path):
    assert command("new", "function", "tally", "--source", "kinesis")[0] == 0
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "functions/tally"]
    ended = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stdout


def test_nothing_is_written_over(command: Command, tmp_path: Path):
    (tmp_path / "poller.yaml").write_text("mine")
    code, _, said = command("init")
    assert (code, "exists already, and nothing was written" in said[0]) == (69, True)
    assert [path.name for path in tmp_path.iterdir()] == ["poller.yaml"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("init", "--source", "kafka"), "is not one of"),
        (("init", "--name", "../x"), "is no name"),
        (("new", "function", "a b"), "is no name"),
        (("events", "sample", "mail"), "is not one of"),
        (("invoke", "f"), "give the event by --event FILE"),
        (("invoke", "f", "--sample", "sqs"), "no configuration was found"),
        (("send", "orders"), "no configuration was found"),
        (("dev",), "no configuration was found"),
    ],
)
def test_a_mistake_is_one_readable_line(command: Command, arguments: tuple[str, ...], said: str):
    code, _, lines = command(*arguments)
    assert (code, len(lines)) == (2, 1)
    assert said in lines[0]


def test_an_answer_is_judged_as_a_mapping_would(command: Command):
    command("init")
    event = json.dumps({"Records": [{"messageId": "a", "body": ""}, {"messageId": "b", "body": ""}]}).encode()
    failed = Succeeded(b'{"batchItemFailures": [{"itemIdentifier": "b"}]}')
    assert judge(failed, event, partial=False).settled
    assert judge(failed, event, partial=False).lines[0].startswith("succeeded: ")
    assert judge(failed, event, partial=True).lines[0].startswith('1 of 2 records failed: {"batchItemFailures"')
    assert judge(failed, event, partial=True).lines[1].startswith("a mapping would deliver again: b;")
    assert judge(Succeeded(b"{}"), event, partial=True).settled
    invalid = Succeeded(b'{"batchItemFailures": [{"itemIdentifier": "c"}]}')
    assert judge(invalid, event, partial=True).lines[0].startswith("failed, the partial batch response is invalid: {")
    assert judge(invalid, event, partial=True).lines[1] == "a mapping would fail the whole batch"
    outcomes: list[Outcome] = [Failed("Unhandled"), NotInvoked("throttled"), TooLarge()]
    assert [judge(outcome, event, partial=True).settled for outcome in outcomes] == [False, False, False]


def test_a_function_is_invoked_with_a_sample_and_with_a_file(command: Command, tmp_path: Path):
    pytest.importorskip("awslambdaric", reason="pip install awslambdaric: it runs Python handlers")
    command("init", "--source", "sqs")
    code, out, _ = command("invoke", "ship", "--sample", "sqs")
    assert (code, "a mapping would settle every record (1)" in out) == (0, True)
    (tmp_path / "functions/ship/app.py").write_text("def handler(event, context):\n    raise KeyError('id')\n")
    code, out, _ = command("invoke", "ship", "--event", "functions/ship/event.json")
    assert (code, out.splitlines()[0]) == (1, "failed: function_error KeyError: 'id'")


def test_init_asks_a_person_for_what_no_option_says(tmp_path: Path):
    ours, theirs = pty.openpty()
    try:
        command = [sys.executable, "-m", "poller", "init", "--source", "sqs"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
        os.write(ours, b"invoices\n\n")
        ended = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert ended.returncode == 0, ended.stderr
    assert "The name of the function" in ended.stdout
    assert "name: invoices" in (tmp_path / "poller.yaml").read_text()
    assert (tmp_path / "functions/ship/app.py").exists()
