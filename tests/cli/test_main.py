"""The command line: its usage, how a command ends, and `poller check`."""

import subprocess
import sys
from pathlib import Path

import pytest

from poller import __version__
from poller.support.built import built

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


def test_a_bug_ends_with_70_its_traceback_logged_and_a_word_to_the_user():
    script = """
from poller.cli.main import app, main

@app.command()
def fail():
    raise KeyError('lane')

main(["fail"])
"""
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT)
    assert ended.returncode == 70
    assert "command_failed" in ended.stderr
    assert "Traceback (most recent call last)" in ended.stderr
    assert ended.stderr.endswith("a bug of ours ended the command (KeyError); please report the lines above\n")


def test_what_the_machine_does_not_give_ends_with_69_and_one_line(poller, tmp_path):
    file = tmp_path / "gone/poller.schema.json"
    code, out, err = poller("schema", "--output", file)
    assert (code, out) == (69, "")
    assert err.startswith(f"poller: {file} cannot be written (")
    assert err.count("\n") == 1


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
