"""What the tests of importers share: run an importer, and read what it wrote as the daemon would."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from poller.cli.main import main
from poller.configuration import Configuration, load


@dataclass(frozen=True)
class Outcome:
    code: int
    written: str
    said: list[str]
    configuration: Configuration | None
    """What was written, read again; None where nothing was."""


Run = Callable[..., Outcome]


@pytest.fixture
def importing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`importing("sam", text, *options)`: the command over a file of that text."""
    monkeypatch.chdir(tmp_path)

    def run(command: str, text: str, *options: str, name: str = "template.yaml") -> Outcome:
        Path(name).write_text(textwrap.dedent(text), encoding="utf-8")
        with pytest.raises(SystemExit) as ended:
            main(["import", command, name, *options])
        printed = capsys.readouterr()
        read = None
        if printed.out and "--output" not in options:
            Path("written.yaml").write_text(printed.out, encoding="utf-8")
            read = load([Path("written.yaml")], environ={})
        return Outcome(int(ended.value.code or 0), printed.out, printed.err.splitlines(), read)

    return run
