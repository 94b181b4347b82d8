"""Settings from outside the files: environment variables, `.env`, a directory of secrets.

pydantic-settings reads names and values of variables. Each variable is read alone, so that a problem can name it.
"""

from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings.exceptions import SettingsError

from poller.configuration.reading.files import distrust
from poller.configuration.reading.regular import read_text
from poller.configuration.reading.tree import Node, Origin, grow, overlay

PREFIX = "POLLER_"
DOTENV = Path(".env")


class _Variable(EnvSettingsSource):
    """pydantic-settings' reader of environment variables, over a given mapping instead of the process's own."""

    def __init__(self, settings: type[BaseSettings], name: str, value: str) -> None:
        self._given = {name.lower(): value}
        super().__init__(settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._given


class Layers:
    """Gives trees of settings, lowest precedence first. `warnings` name variables with our prefix and no setting."""

    def __init__(self, settings: type[BaseSettings]) -> None:
        self.settings = settings
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.sources: list[Path] = []
        """The files read."""

    def outside(self, environ: Mapping[str, str]) -> list[Node]:
        """Secrets directory, `.env`, environment."""
        return [
            self._variables(self._secrets(environ), "secret {}"),
            self._variables(self._dotenv(), f"{DOTENV}: {{}}"),
            self._variables(environ, "environment variable {}"),
        ]

    def _variables(self, variables: Mapping[str, str], label: str) -> Node:
        tree = Node({}, Origin(label, Path.cwd()))
        for name, value in sorted(variables.items()):
            if name.upper().startswith(PREFIX):
                tree = overlay(tree, self._variable(name, value, Origin(label.format(name), Path.cwd())))
        return tree

    def _variable(self, name: str, value: str, origin: Origin) -> Node:
        nothing = Node({}, origin)
        try:
            values = _Variable(self.settings, name, value)()
        except SettingsError:
            self.problems.append(f"{origin.label}: is not JSON; set a single key, such as {name}__KEY, or write JSON")
            return nothing
        way = tuple(name.lower().removeprefix(PREFIX.lower()).split("__"))
        if way in self._unknown(values):
            self.warnings.append(f"{origin.label} is no setting and is ignored")
            return nothing
        return grow(values, origin)

    def _dotenv(self) -> dict[str, str]:
        if not DOTENV.is_file():
            return {}
        reason = distrust(DOTENV, "change its owner, remove it, or start elsewhere")
        if reason is not None:
            self.problems.append(reason)
            return {}
        self.sources.append(DOTENV)
        try:
            return {
                name: value for name, value in dotenv_values(DOTENV, interpolate=False).items() if value is not None
            }
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(f"{DOTENV}: cannot be read ({error})")
            return {}

    def _secrets(self, environ: Mapping[str, str]) -> dict[str, str]:
        """One file for each variable, with its name. The last line end is not part of the value."""
        given = environ.get("POLLER_SECRETS_DIR") or environ.get("CREDENTIALS_DIRECTORY")
        if not given:
            return {}
        found: dict[str, str] = {}
        try:
            for entry in sorted(Path(given).iterdir()):
                if entry.name.upper().startswith(PREFIX) and entry.is_file():
                    found[entry.name] = read_text(entry).removesuffix("\n").removesuffix("\r")
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(f"{given}: the directory of secrets cannot be read ({error})")
        return found

    def _unknown(self, values: dict[str, object]) -> set[tuple[str, ...]]:
        try:
            self.settings.model_validate(values)
        except ValidationError as error:
            return {tuple(map(str, each["loc"])) for each in error.errors() if each["type"] == "extra_forbidden"}
        return set()
