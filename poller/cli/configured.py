"""Shared by commands that need the configuration, or the running daemon that it belongs to."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from poller.cli.client import Client, address_of
from poller.configuration import Configuration, Need, load, read_api_leniently
from poller.configuration.reading.secrets import Secret
from poller.configuration.watching import Reader
from poller.support.printable import say
from poller.values.errors import ConfigurationError

ConfigPaths = Annotated[
    list[Path] | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help="File or directory; repeatable. Default: $POLLER_CONFIG, ./poller.yaml, /etc/poller/.",
    ),
]


Api = Annotated[
    str | None,
    typer.Option(metavar="URL|unix:PATH", help="Where the daemon listens. Default: api.listen of the configuration."),
]


def mapping_names(context: typer.Context, incomplete: str) -> list[str]:
    """What a shell completes: the names in the configuration, and none where that cannot be loaded."""
    try:
        found = loaded([Path(path) for path in context.params.get("config") or ()])
    except ConfigurationError:
        return []
    return [mapping.name for mapping in found.mappings if mapping.name.startswith(incomplete)]


AnyMapping = Annotated[
    str | None,
    typer.Argument(metavar="MAPPING", help="Name or uuid; default all.", autocompletion=mapping_names),
]

AllowEmpty = Annotated[
    bool, typer.Option("--allow-empty", help="A configuration without any event source mapping is no error.")
]


def examples(*commands: str) -> str:
    """The end of a command's help. Its line breaks are kept."""
    return "\b\nExamples:\n" + "\n".join(f"  poller {command}" for command in commands)


def loaded(paths: list[Path] | None, need: Need = Need.NOTHING) -> Configuration:
    """Raises ConfigurationError."""
    return load(paths or None, environ=os.environ, need=need)


def reader(paths: list[Path] | None, need: Need = Need.NOTHING, overrides: dict[str, Any] | None = None) -> Reader:
    """The configuration for commands that read it more than once. `overrides` are settings of the command line."""
    return Reader(paths or None, os.environ, need, overrides)


def needed(*, allow_empty: bool) -> Need:
    """The configuration for commands that need at least one mapping."""
    return Need.FILES if allow_empty else Need.MAPPINGS


def client(api: str | None, paths: list[Path] | None) -> Client:
    """A client of the daemon at `api`, by default of the daemon with this configuration. Raises ConfigurationError. The
    daemon may run on with an earlier version of the files, so a mistake in them is only a warning here.
    """
    settings, problems = read_api_leniently(paths or None, environ=os.environ)
    # whoever names the daemon and no files does not mean the files that are found by default
    if problems and (api is None or paths):
        say("warning: the configuration cannot be loaded; a daemon may run on what was there before:", error=True)
        for problem in problems:
            say(f"  {problem}", error=True)
    if settings is not None:
        return Client(api or address_of(settings), _token(settings.token))
    if api is None:
        raise ConfigurationError(["api.listen cannot be read: say with --api where the daemon listens"])
    return Client(api, None)


def _token(secret: Secret | None) -> str | None:
    if secret is None:
        return None
    try:
        return secret.read()
    except ConfigurationError as error:
        say(f"warning: {error}; the daemon is asked without a token", error=True)
        return None
