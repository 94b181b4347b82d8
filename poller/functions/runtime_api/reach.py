"""Checks whether this machine has all that a local function needs. Starts nothing."""

import os
import shutil
import sys
from collections.abc import Mapping
from importlib.machinery import PathFinder
from pathlib import Path

from poller.configuration.model.functions import FunctionConfig
from poller.functions.runtime_api.building import command_of
from poller.functions.runtime_api.options import RuntimeOptions
from poller.ports.reach import Tries
from poller.values.errors import ConfigurationError, EnvironmentProblem

MISSING = "missing"


def look_at_runtime(function: FunctionConfig, tries: Tries) -> None:
    """Note the findings in `tries`."""
    runtime = RuntimeOptions.of(function)
    if runtime.runtime_listen is not None:
        tries.untried.append(f"whether a runtime asks {runtime.runtime_listen} (poller listens there while it runs)")
        return
    assert runtime.code is not None
    try:
        environment = {name: value.read() for name, value in runtime.environment.items()}
        program = command_of(function.key, runtime)[0]
    except ConfigurationError as error:
        tries.blocked("error", f"environment: {error}")
    except EnvironmentProblem as error:
        tries.blocked(MISSING, str(error))
    else:
        if not _runs(program, runtime.code, environment):
            tries.blocked(MISSING, f"command: there is no program {program!r}; install it, or give its whole path")
        elif not runtime.command and runtime.handler is not None:
            _look_for_handler(runtime, runtime.handler, environment, tries)
    if tries.ok:
        tries.untried.append("the function itself (it is started with the daemon)")


def _runs(program: str, code: Path, environment: Mapping[str, str]) -> bool:
    """A path is relative to the worker's directory; a plain name is searched in the worker's PATH."""
    if os.sep in program:
        program = str(code / program)
    return shutil.which(program, path=environment.get("PATH")) is not None


def _look_for_handler(runtime: RuntimeOptions, handler: str, environment: Mapping[str, str], tries: Tries) -> None:
    module = handler.rpartition(".")[0].replace("/", ".")
    added = environment.get("PYTHONPATH", "").split(os.pathsep)
    places = [str(runtime.code), *filter(None, added), *filter(None, sys.path)]
    if not _there(module, places):
        tries.blocked(MISSING, f"handler: {handler!r} needs a module {module}, and there is none in {runtime.code}")


def _there(module: str, places: list[str]) -> bool:
    """Search without an import, which would run the module."""
    first, _, rest = module.partition(".")
    found = PathFinder.find_spec(first, places)
    if found is None or not rest:
        return found is not None
    # the finder takes the last name of a submodule alone
    return _there(rest, list(found.submodule_search_locations or ()))
