"""Tells the reading of files which keys are names, data or secrets, as the models declare them."""

from collections.abc import Iterator
from functools import cache
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from poller.configuration.model.mapping_keys import WrittenMapping
from poller.configuration.model.settings import Settings
from poller.configuration.reading.secrets import Secret
from poller.configuration.reading.spelling import Keys
from poller.functions.types import MODELS

_Field = tuple[str, str, Any]


@cache
def keys() -> Keys:
    """Of the settings, functions and mappings together."""
    models: list[Any] = [Settings, WrittenMapping, *MODELS.values()]
    found = [field for model in models for field in _fields(model)]
    dicts = [(name, _bare(get_args(kind)[1])) for _, name, kind in found if _origin(kind) is dict]
    return Keys(
        named=frozenset({"functions", *(name for name, kind in dicts if _is_model(kind))}),
        data=frozenset(name for name, kind in dicts if not _is_model(kind)),
        opaque=frozenset(name for _, name, kind in found if kind is Any),
        secrets=frozenset((parent, name) if parent else (name,) for parent, name, kind in found if kind is Secret),
        secret_data=frozenset(name for name, kind in dicts if kind is Secret),
    )


def _fields(model: type[BaseModel], parent: str = "") -> Iterator[_Field]:
    """`(parent, name, type)` of each field of a model, and of the models within it."""
    for name, field in model.model_fields.items():
        kind = _bare(field.annotation)
        yield parent, name, kind
        inner = _bare(get_args(kind)[-1]) if _origin(kind) in (dict, list) else kind
        if _is_model(inner):
            yield from _fields(inner, name)


def _bare(annotation: Any) -> Any:
    """A type without what is annotated, and without None."""
    if _origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    return _bare(kinds[0]) if NoneType in get_args(annotation) else annotation


def _origin(kind: Any) -> Any:
    return get_origin(kind)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
