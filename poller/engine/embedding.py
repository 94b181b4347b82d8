"""Reads the configuration of a program that embeds the engine: from files, or from Python values with callables."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from poller.configuration import Configuration, FunctionConfig
from poller.configuration import load as load_files
from poller.configuration.given import LABEL, read_given, with_mapping
from poller.functions.callable import CALLABLE, Callable
from poller.values.errors import ConfigurationError

Parameters = Mapping[str, Any]
"""A mapping's parameters by their names in a configuration file; `function_name` may also be a Python callable."""
FUNCTION_NAME = "function_name"


def load(*paths: str | Path, environ: Mapping[str, str] = os.environ) -> Configuration:
    """Read files and directories as `poller run --config` does, with the settings of the environment. Without a path,
    read the default files. Raises ConfigurationError with all problems at once.
    """
    return load_files([Path(path) for path in paths] or None, environ=environ)


def configure(
    *, functions: Mapping[str, Any] | None = None, event_source_mappings: Sequence[Parameters] = (), **settings: Any
) -> Configuration:
    """Check a configuration that is given as Python values, with the keys and the rules of a configuration file.

    A function may be a Python callable, plain or as `poller.functions.Callable`; so may a mapping's `function_name`.
    `state` is `memory:` unless given: positions in streams then end with the process. Raises ConfigurationError with
    all problems at once.
    """
    callables: dict[str, FunctionConfig] = {}
    described: dict[str, Any] = {}
    for key, function in (functions or {}).items():
        if callable(function) or isinstance(function, Callable):
            callables[key] = _config(key, function)
        else:
            described[key] = function
    taken = {*callables, *described}
    mappings = [_named(mapping, callables, taken) for mapping in event_source_mappings]
    return read_given(settings, described, mappings, callables)


def with_given(present: Configuration, parameters: Parameters, *, replacing: str = "") -> Configuration:
    """The configuration with one more mapping, or another in place of `replacing`. Raises ConfigurationError."""
    callables = {
        key: present.functions[key] for key in present.declared if isinstance(present.functions[key].options, Callable)
    }
    named = _named(parameters, callables, set(present.functions))
    return with_mapping(present, named, callables, replacing=replacing)


def _named(parameters: Parameters, callables: dict[str, FunctionConfig], taken: set[str]) -> dict[str, Any]:
    """The parameters with a key in place of a callable. `callables` and `taken` gain the key."""
    if not isinstance(parameters, Mapping):
        raise ConfigurationError([f"{LABEL}: a mapping is given as a dict of its parameters, not as {parameters!r}"])
    function = parameters.get(FUNCTION_NAME)
    if not (callable(function) or isinstance(function, Callable)):
        return dict(parameters)
    settings = _settings(function)
    for key, config in callables.items():
        if config.options == settings:
            return {**parameters, FUNCTION_NAME: key}
    name = getattr(settings.handler, "__name__", type(settings.handler).__name__)
    base = name if name.isidentifier() else "handler"
    key, number = base, 1
    while key in taken:
        number += 1
        key = f"{base}-{number}"
    taken.add(key)
    callables[key] = _config(key, settings)
    return {**parameters, FUNCTION_NAME: key}


def _settings(function: Any) -> Callable:
    return function if isinstance(function, Callable) else Callable(function)


def _config(key: str, function: Any) -> FunctionConfig:
    settings = _settings(function)
    return FunctionConfig(
        key=key,
        type=CALLABLE.name,
        options=settings,
        timeout_seconds=settings.timeout_seconds,
        concurrency=settings.concurrency,
        payload_limit=settings.max_payload_bytes,
    )
