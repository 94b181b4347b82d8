"""Tells how this package was built."""

from importlib.machinery import ExtensionFileLoader
from typing import Literal

from poller.support import codec


def built() -> Literal["compiled", "pure"]:
    """`compiled` where the modules of the data plane are machine code, `pure` where Python interprets them."""
    return "compiled" if isinstance(codec.__spec__.loader, ExtensionFileLoader) else "pure"
