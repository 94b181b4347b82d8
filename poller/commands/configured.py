"""What commands share that need the configuration."""

import os
from pathlib import Path
from typing import Annotated

import typer

from poller.configuration import Configuration, load
from poller.configuration.watching import Reader

ConfigPaths = Annotated[
    list[Path] | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help="File or directory; repeatable. Default: $POLLER_CONFIG, ./poller.yaml, /etc/poller/.",
    ),
]


def loaded(paths: list[Path] | None) -> Configuration:
    """Raises ConfigurationError."""
    return load(paths or None, environ=os.environ)


def reader(paths: list[Path] | None) -> Reader:
    """The same for whoever reads it more than once."""
    return Reader(paths or None, os.environ)
