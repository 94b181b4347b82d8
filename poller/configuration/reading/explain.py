"""Turns validation errors into the user's terms: the place and key as written, the problem, and the remedy."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from poller.configuration.reading.tree import Location, Node, find

Model = TypeVar("Model", bound=BaseModel)

_NUMBER = "must be a number"
_WHOLE = "must be a whole number"
_MAPPING = "must hold keys of its own (`key: value` lines)"
_TEXTS: Mapping[str, str] = {
    "missing": "is missing; it is required",
    "int_parsing": _WHOLE,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "too_long": "may hold at most {max_length}",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "value_error": "{error}",
}
_COMPARED_MOST = 256
_WITHHELD = "holds a secret whose value does not fit here"
_SHOWN_MOST = 60
"""Characters of a value that a message repeats."""


@dataclass(frozen=True, slots=True)
class Report:
    """Collects problems of one part of the configuration: the node at `at` below `root`, with its children."""

    root: Node
    at: tuple[str | int, ...]
    problems: list[str]

    def say(self, text: str, *below: str | int) -> None:
        """Add one line, `file:line: key.path: text`, unless a problem of that value is reported already."""
        node, path = find(self.root, (*self.at, *below))
        if node.hidden and isinstance(node.value, str) and node.value and node.value in text:
            text = _WITHHELD
        if not node.broken:
            self.problems.append(f"{node.place}: {path}: {text}" if path else f"{node.place}: {text}")

    def validated(self, model: type[Model], node: Node) -> Model | None:
        """The node as a model; None with all its problems reported."""
        try:
            return model.model_validate(node.plain())
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                below = [step for step in detail["loc"] if step != "[key]"]
                found, _ = find(self.root, (*self.at, *below))
                self.say(_text(detail, found, model), *below)
            return None

    @property
    def place(self) -> str:
        """`file:line` of the part itself."""
        return self.place_of()

    def place_of(self, *below: str | int) -> str:
        return find(self.root, (*self.at, *below))[0].place


def _text(detail: ErrorDetails, node: Node, model: type[BaseModel]) -> str:
    kind, given = detail["type"], detail.get("input")
    if kind == "extra_forbidden":
        return unknown_key(str(detail["loc"][-1]), _keys_at(model, detail["loc"][:-1]))
    if node.hidden:
        return _WITHHELD
    context = {name: _whole(value) for name, value in detail.get("ctx", {}).items()}
    text = _TEXTS.get(kind, detail["msg"]).format_map(context)
    if kind == "missing":
        return text
    if given is None and _plain(text):
        return f"has no value; it {text}, or remove the key"
    if text == _MAPPING and isinstance(given, str):
        # not shown: the text may be a secret that was written one level too high
        return text
    as_written = node.as_written
    if kind == "string_type" and as_written is not None:
        return f"is {as_written}, which YAML reads as {_read_as(given)}; put text in quotes"
    if kind == "string_type" and isinstance(given, int | float):
        text += ", in quotes"
    if kind == "literal_error" and as_written is not None:
        return f"is {as_written}, which YAML reads as {_read_as(given)}; it {text}"
    return text if isinstance(given, dict | list) else f"is {_shown(given)}; it {text}" if _plain(text) else text


def _read_as(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else f"a {type(value).__name__}"


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _plain(text: str) -> bool:
    return text.startswith(("must ", "may "))


def _shown(value: Any) -> str:
    if isinstance(value, str):
        value = _without_credentials(value)
    shown = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else repr(value)
    return shown if shown is not None and len(shown) <= _SHOWN_MOST else f"{str(shown)[:_SHOWN_MOST]}…"


def _without_credentials(text: str) -> str:
    """Leave out what stands before the host of a URL, or of what was meant to be one: it may hold a password."""
    before, _, host = text.rpartition("@")
    if ":" not in before:
        return text
    scheme, separator, _ = before.partition("://")
    return f"{scheme}{separator}***@{host}" if separator else f"***@{host}"


def similar(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant. Only the first few hundred are compared, because comparing is slow."""
    close = difflib.get_close_matches(word[:_COMPARED_MOST], islice(known, _COMPARED_MOST), n=1)
    return close[0] if close else None


def unknown_key(key: str, known: list[str]) -> str:
    close = similar(key.lower(), known)
    if close:
        return f"is not a known key; did you mean {close}?"
    return f"is not a known key; known here: {', '.join(known)}" if known else "is not a known key"


def _keys_at(model: type[BaseModel], location: Location) -> list[str]:
    """The keys that may stand at `location` below a model."""
    here: Any = model
    for step in location:
        fields = getattr(here, "model_fields", None)
        if fields is None:
            return []
        annotation = fields[step].annotation if step in fields else None
        here = _model_in(annotation) if step in fields else here
    return list(here.model_fields) if hasattr(here, "model_fields") else []


def _model_in(annotation: Any) -> Any:
    """The model in `Model`, `Model | None`, `dict[str, Model]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for found in map(_model_in, get_args(annotation)) if found is not None), None)
