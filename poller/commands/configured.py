"""What commands share that need the configuration."""

import os
from pathlib import Path
from typing import Annotated

import typer

from poller.configuration import Configuration, Need, load
from poller.configuration.watching import Reader

ConfigPaths = Annotated[
    list[Path] | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help="File or directory; repeatable. Default: $POLLER_CONFIG, ./poller.yaml, /etc/poller/.",
    ),
]


AllowEmpty = Annotated[
    bool, typer.Option("--allow-empty", help="A configuration without any event source mapping is no error.")
]


def examples(*commands: str) -> str:
    """The end of a command's help; it keeps its lines."""
    return "\b\nExamples:\n" + "\n".join(f"  poller {command}" for command in commands)


def loaded(paths: list[Path] | None, need: Need = Need.NOTHING) -> Configuration:
    """Raises ConfigurationError."""
    return load(paths or None, environ=os.environ, need=need)


def reader(paths: list[Path] | None, need: Need = Need.NOTHING) -> Reader:
    """The same for whoever reads it more than once."""
    return Reader(paths or None, os.environ, need)


def needed(*, allow_empty: bool) -> Need:
    """Of commands that are about mappings."""
    return Need.FILES if allow_empty else Need.MAPPINGS
