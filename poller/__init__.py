"""AWS Lambda's event source mapping, outside Lambda: poll, batch, invoke synchronously, settle by the answer.

What is exported here is for programs that embed the engine, and stays as it is between minor versions. Each name is
imported when it is first used, so that `import poller` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from poller import functions as functions
    from poller.configuration import Configuration as Configuration
    from poller.engine.app import Poller as Poller
    from poller.engine.embedding import configure as configure
    from poller.engine.embedding import load as load
    from poller.ports.status import MappingStatus as MappingStatus
    from poller.ports.store import StateStore as StateStore
    from poller.state.memory.store import MemoryStore as MemoryStore
    from poller.state.sqlite.store import SqliteState as SqliteState
    from poller.values.errors import ConfigurationError as ConfigurationError
    from poller.values.errors import EnvironmentProblem as EnvironmentProblem
    from poller.values.errors import NotSettled as NotSettled
    from poller.values.errors import PollerError as PollerError
    from poller.values.errors import StateError as StateError
    from poller.values.errors import UnknownMapping as UnknownMapping

__version__ = "0.1.0"

_PLACES = {
    "Configuration": "poller.configuration",
    "ConfigurationError": "poller.values.errors",
    "EnvironmentProblem": "poller.values.errors",
    "MappingStatus": "poller.ports.status",
    "MemoryStore": "poller.state.memory.store",
    "NotSettled": "poller.values.errors",
    "Poller": "poller.engine.app",
    "PollerError": "poller.values.errors",
    "SqliteState": "poller.state.sqlite.store",
    "StateError": "poller.values.errors",
    "StateStore": "poller.ports.store",
    "UnknownMapping": "poller.values.errors",
    "configure": "poller.engine.embedding",
    "load": "poller.engine.embedding",
}
__all__ = [*_PLACES, "__version__", "functions"]  # noqa: PLE0604  (strings all)


def __getattr__(name: str) -> Any:
    """Import a name of the public face at its first use."""
    if name == "functions":
        return importlib.import_module("poller.functions")
    if name not in _PLACES:
        raise AttributeError(f"module 'poller' has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
