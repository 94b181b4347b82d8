"""Rows of the tables: a model's fields, flattened, with type, range and default read off the model itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from poller.configuration.model.fields import DEFAULT_TEXT
from poller.configuration.model.settings import Settings
from poller.configuration.model.sizes import UNITS, parse_size
from poller.configuration.reading.secrets import Secret
from poller.functions.keys import WrittenFunction

COMMON = tuple(WrittenFunction.model_fields)


@dataclass(frozen=True, slots=True)
class Row:
    key: str
    kind: str
    default: str
    text: str

    def __str__(self) -> str:
        return f"| `{self.key}` | {self.kind} | {self.default} | {self.text} |"


def rows(model: type[BaseModel], path: str = "", *, leave_out: tuple[str, ...] = ()) -> Iterator[Row]:
    """One row per key, those of nested models by their dotted paths."""
    for name, field in model.model_fields.items():
        if name in leave_out:
            continue
        key = f"{path}{name}"
        nested = nested_model(field.annotation)
        whole = nested is None or (name == "aws" and model is not Settings)
        yield Row(key, kind_of(field) if whole else "keys", default_of(field, whole=whole), text_of(field))
        if nested is not None and not whole:
            below = f"{key}.NAME." if get_origin(field.annotation) is dict else f"{key}."
            yield from rows(nested, below)


def text_of(field: FieldInfo) -> str:
    assert field.description, "every key is described where it is declared"
    return field.description


def nested_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is list:
        return None
    return next((found for inner in get_args(annotation) if (found := nested_model(inner))), None)


def kind_of(field: FieldInfo) -> str:
    """Type and range, e.g. `whole number, 1 to 10`."""
    metadata = [*field.metadata, *metadata_in(field.annotation)]
    if any(getattr(one, "func", None) is parse_size for one in metadata):
        return "size" + range_of(metadata, size=True)
    return word(field.annotation) + range_of(metadata)


def metadata_in(annotation: Any) -> list[Any]:
    """Of every `Annotated` on the way down, `| None` included."""
    found = list(annotation.__metadata__) if get_origin(annotation) is Annotated else []
    if get_origin(annotation) in (Annotated, Union, UnionType):
        for inner in get_args(annotation):
            found += metadata_in(inner)
    return found


def word(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return "-"
    if origin is Annotated:
        return "secret" if inner[0] is Secret or Secret in get_args(inner[0]) else word(inner[0])
    if origin in (Union, UnionType):
        return " or ".join(word(one) for one in inner if one is not NoneType)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin is list:
        return "list" if inner[0] is Any else f"list of {word(inner[0])}"
    if origin is dict:
        return "secrets by name" if word(inner[1]) == "secret" else "text by name"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "keys"
    return {bool: "true or false", int: "whole number", float: "number", str: "text", Secret: "secret"}[annotation]


def range_of(metadata: list[Any], *, size: bool = False) -> str:
    shown = as_size if size else number
    ends: dict[str, Any] = {}
    for one in metadata:
        for inner in one if isinstance(one, annotated_types.GroupedMetadata) else [one]:
            for name in ("ge", "gt", "le", "lt", "max_length"):
                value = getattr(inner, name, None)
                if value is not None and not callable(value):
                    ends[name] = value
    least = f"{shown(ends['ge'])}" if "ge" in ends else f"more than {shown(ends['gt'])}" if "gt" in ends else ""
    most = f"{shown(ends['le'])}" if "le" in ends else ""
    if least and most:
        return f", {least} to {most}"
    if least or most:
        return f", {least} or more" if "ge" in ends else f", {least}" if least else f", up to {most}"
    return f", at most {number(ends['max_length'])}" if "max_length" in ends else ""


def default_of(field: FieldInfo, *, whole: bool) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and DEFAULT_TEXT in extra:
        return str(extra[DEFAULT_TEXT])
    if not whole:
        return "-"
    if field.is_required():
        return "required"
    value = field.default if field.default is not PydanticUndefined else None
    if value is None or value == "" or isinstance(value, BaseModel):
        return "-"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int) and any(getattr(one, "func", None) is parse_size for one in field.metadata):
        return as_size(value)
    return number(value) if isinstance(value, int | float) else f"`{value}`"


def number(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


def as_size(value: int) -> str:
    mib = UNITS["mib"]
    return f"{value // mib} MiB" if value % mib == 0 else f"{value:,} B"
