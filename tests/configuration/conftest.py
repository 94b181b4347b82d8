"""Loads configurations in a directory of their own, with an environment of their own.

Every file that a test loads is held against the JSON Schema too, which must say the same of it.
"""

from pathlib import Path

import pytest

from poller.configuration import Configuration, load
from poller.values.errors import ConfigurationError
from tests.configuration.schema import errors_of_file, expressible


class Bench:
    """Files by name, an environment, and what loading them gives."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environ: dict[str, str] = {"HOME": "/home/someone"}

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return Path(name)

    def load(self, *paths: Path | str, overrides: dict | None = None) -> Configuration:
        configuration = load([Path(path) for path in paths] or None, environ=self.environ, overrides=overrides)
        refused = {path: errors for path in configuration.sources if (errors := errors_of_file(path))}
        assert refused == {}, "the JSON Schema refuses what is loaded"
        return configuration

    def text(self, text: str, name: str = "poller.yaml") -> Configuration:
        return self.load(self.write(name, text))

    def problems(self, *paths: Path | str) -> list[str]:
        with pytest.raises(ConfigurationError) as caught:
            self.load(*paths)
        found = caught.value.problems
        for path in {path for problem in found if (path := expressible(problem))}:
            assert errors_of_file(path), f"the JSON Schema lets pass what is refused: {found}"
        return found

    def problems_of(self, text: str, name: str = "poller.yaml") -> list[str]:
        return self.problems(self.write(name, text))


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path)
