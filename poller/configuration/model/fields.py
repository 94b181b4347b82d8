"""The strict, frozen base of the models of the configuration, and the types of their fields."""

import re
from dataclasses import fields
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    WithJsonSchema,
)
from pydantic_core import CoreSchema

NAME_MOST = 256
_NAME = re.compile(r"[A-Za-z0-9_.:$-]+")


class Written(BaseModel):
    """A part of the configuration as the user writes it. Unknown keys are refused; instances are frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def same_fields(written: BaseModel, resolved: type) -> dict[str, Any]:
    """The values of `written` that a dataclass takes under the same names; lists as tuples."""
    names = [field.name for field in fields(resolved) if field.name in type(written).model_fields]
    values = {name: getattr(written, name) for name in names}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004  (pydantic wants a ValueError)
    return value


class Also:
    """For the JSON Schema: another form in which a value may be written, that a validator turns into the field's type.

    It is the last of a field's annotations.
    """

    def __init__(self, **form: Any) -> None:
        self.form = form

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(core), self.form]}


def text(pattern: str, **more: Any) -> WithJsonSchema:
    """Describes in the JSON Schema, as far as a pattern can, the text that a validator accepts."""
    return WithJsonSchema({"type": "string", "pattern": pattern, **more})


DEFAULT_TEXT = "x-default"


def shown_default(text: str) -> dict[str, JsonValue]:
    """For `Field(json_schema_extra=…)`: the default in words, where the model holds None or makes one at load."""
    return {DEFAULT_TEXT: text}


Whole = Annotated[int, BeforeValidator(_no_bool)]
Seconds = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_no_bool)]


def web_address(value: str) -> str:
    """An http or https URL with a host. Raises ValueError."""
    try:
        parts = urlsplit(value)
        port_is_valid = parts.port != 0
    except ValueError:
        port_is_valid = False
    if "@" in value.partition("://")[2].partition("/")[0]:
        # a text that begins with `must` would repeat the value
        raise ValueError("holds a user or a password, which is sent nowhere and shows in logs; remove it")
    if not port_is_valid or parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", value):
        raise ValueError("must be a URL such as http://127.0.0.1:8080/")
    return value


def _endpoint(value: str) -> str:
    if not value.isascii() or urlsplit(web_address(value)).query:
        raise ValueError("must be a plain URL such as http://127.0.0.1:4566, without a query")
    return value.rstrip("/")


def is_name(value: str) -> bool:
    return len(value) <= NAME_MOST and _NAME.fullmatch(value) is not None


def _name(value: str) -> str:
    if not is_name(value):
        raise ValueError(
            f"must be 1 to {NAME_MOST} letters, digits and any of _ . : $ - (it is used in URLs and metrics)"
        )
    return value


WebAddress = Annotated[str, AfterValidator(web_address), text(r"^https?://[^\s@/]+(/\S*)?$")]
Endpoint = Annotated[str, AfterValidator(_endpoint), text(r"^https?://[^\s@/?]+(/[^\s?]*)?$")]
Name = Annotated[str, AfterValidator(_name), text(f"^{_NAME.pattern}$", maxLength=NAME_MOST)]
FilledText = Annotated[str, Field(min_length=1)]
