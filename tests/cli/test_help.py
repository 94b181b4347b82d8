"""What a command says of itself, and what a shell completes of it."""

import json
import shlex

import pytest
import typer

from poller.cli.main import app, main

COMMANDS = typer.main.get_command(app)


def every_command(command=COMMANDS, path=()):
    """All commands and groups, as `(words, command)`."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from every_command(below, (*path, name))


ALL = [pytest.param(path, command, id=" ".join(("poller", *path))) for path, command in every_command()]
RUN = [
    pytest.param(path, command, id=" ".join(path))
    for path, command in every_command()
    if not hasattr(command, "commands")
]


def help_of(command, path):
    """As on a terminal of 80 columns."""
    context = typer.Context(command, info_name=" ".join(("poller", *path)), terminal_width=80, max_content_width=80)
    return command.get_help(context)


@pytest.mark.parametrize(("path", "command"), ALL)
def test_no_line_of_help_is_cut_or_wider_than_80_columns(path, command):
    _, *lines = help_of(command, path).splitlines()
    assert [line for line in lines if len(line) > 80 or line.endswith("...")] == []
    assert len(lines) > 3


@pytest.mark.parametrize(("path", "command"), RUN)
def test_every_command_gives_examples_that_can_be_typed(path, command):
    lines = help_of(command, path).splitlines()
    examples = [shlex.split(line) for line in lines[lines.index("  Examples:") + 1 :]]
    assert examples
    for words in examples:
        assert tuple(words[: len(path) + 1]) == ("poller", *path)
        command.make_context(path[-1], words[len(path) + 1 :])


@pytest.mark.parametrize("path", [path for path, _ in every_command()])
def test_the_short_way_to_ask_for_help(path, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*path, "-h"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(" ".join(("Usage: poller", *path)))


@pytest.mark.parametrize(
    ("typed", "position", "completed"),
    [
        ("poller st", 1, {"status", "state"}),
        ("poller state ", 2, {"list", "forget", "migrate", "copy", "restore"}),
        ("poller check --", 2, {"--config", "--connect", "--try-functions", "--allow-empty", "--help"}),
    ],
)
def test_a_shell_completes_commands_and_options(typed, position, completed, completions):
    assert completions(typed, position) == completed


@pytest.mark.parametrize("command", ["send", "why", "status", "failures", "peek", "pause", "resume", "actions"])
def test_a_shell_completes_the_names_of_mappings(command, tmp_path, completions):
    """Of the files that the line names so far."""
    arn = "arn:aws:sqs:us-east-1:123456789012:"
    mappings = [{"name": name, "event_source_arn": arn + name, "function_name": "f"} for name in ("orders", "other")]
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps({"event_source_mappings": mappings}), encoding="utf-8")
    assert completions(f"poller {command} --config {path} o", 4) == {"orders", "other"}
    assert completions(f"poller {command} --config {path} or", 4) == {"orders"}
    assert completions(f"poller {command} --config {path}.gone o", 4) == set()


@pytest.fixture
def completions(monkeypatch, capsys):
    """What the program answers to the script that a shell runs."""

    def completions(typed, position):
        asked = {"_POLLER_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(position)}
        for name, value in asked.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main([])
        assert ended.value.code == 0
        return set(capsys.readouterr().out.split())

    return completions
