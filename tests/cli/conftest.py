"""Running the commands of the command line."""

import pytest

from poller.cli.main import main


@pytest.fixture
def poller(capsys, monkeypatch, tmp_path):
    """Run a command where no configuration is found by itself; its code, and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments)])
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return run
