"""The JSON Schema (draft 2020-12) of a configuration file, made from the models that read it.

pydantic describes the models. Added here is what the reading of files adds to every key: two spellings, values from
the environment and from files, numbers in quotes. Checks between several keys are not expressed, apart from the
parameters that a kind of source does not take.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from pydantic.json_schema import models_json_schema

from poller.configuration.model.fields import DEFAULT_TEXT
from poller.configuration.model.mapping_keys import WrittenMapping
from poller.configuration.model.settings import Settings
from poller.configuration.model.taken_parameters import not_for
from poller.configuration.reading.documents import SCHEMA
from poller.functions.types import MODELS
from poller.sources.kinds import KINDS

Schema: TypeAlias = dict[str, Any]
PATH = Path(__file__).parents[1] / "schema.json"
"""The schema as the package ships it."""

ARN = "event_source_arn"
_DEFINITIONS = "#/$defs/"
_FROM_ELSEWHERE = _DEFINITIONS + "from_elsewhere"
_QUOTED = {"number": r"^\s*[+-]?(\d+(\.\d*)?|\.\d+)\s*$", "integer": r"^\s*[+-]?\d+(\.0*)?\s*$"}
"""Numbers in quotes."""
_SCALARS = ("string", "integer", "number", "boolean", "null")
_NOTES = ("description", "examples", "default")
_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
"""pydantic leaves limits of a union under its own names."""
_LEFT_OUT = ("title", DEFAULT_TEXT, "anyOf", *_LIMITS)


def schema() -> Schema:
    """The schema of one file."""
    models: list[Any] = [Settings, WrittenMapping, *MODELS.values()]
    _, found = models_json_schema([(model, "validation") for model in models])
    definitions = {name: _object(each, f"{_DEFINITIONS}{name}") for name, each in found["$defs"].items()}
    root = definitions.pop(Settings.__name__)
    mapping = definitions[WrittenMapping.__name__]
    needed = [_source_or_place() if each == _present(ARN) else each for each in mapping.get("allOf", [])]
    mapping["allOf"] = [*needed, *_by_kind_of_source()]
    definitions |= {"function": _function(), "from_elsewhere": _from_elsewhere()}
    functions = {
        "description": "The functions by their names. A mapping's `function_name` says which one it invokes.",
        "type": ["object", "null"],
        "additionalProperties": {"$ref": _DEFINITIONS + "function"},
    }
    mappings = {
        "description": "One entry for each source that is polled for a function.",
        "type": ["array", "null"],
        "items": {"$ref": _DEFINITIONS + WrittenMapping.__name__},
    }
    own = {"functions": functions, "event_source_mappings": mappings}
    root["properties"] = {
        SCHEMA: {"description": "The schema of this file, for editors; not read."},
        **{name: _moved(each) for name, each in root["properties"].items()},
        **{name: each for key, value in own.items() for name, each in _spelled(key, value, "#")},
    }
    root["dependentSchemas"] |= _one_spelling(own)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of poller",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def text() -> str:
    """As it is written to a file."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def pascal_case(key: str) -> str:
    """`batch_size` as AWS writes it: `BatchSize`."""
    return "".join(_ABBREVIATED.get(word, word[:1].upper() + word[1:]) for word in key.split("_"))


_ABBREVIATED = {"db": "DB", "uri": "URI"}
"""Words that AWS writes in capitals, of the keys that are taken."""


def _moved(value: Any) -> Any:
    """The settings are the root, not a definition."""
    own = f"{_DEFINITIONS}{Settings.__name__}/"
    return {**value, "$ref": value["$ref"].replace(own, "#/")} if value.get("$ref", "").startswith(own) else value


def _object(given: Schema, at: str) -> Schema:
    """A model: its keys in both spellings, each at most once, the required ones in either."""
    keys: Mapping[str, Schema] = given.get("properties", {})
    made = {key: value for key, value in given.items() if key not in ("title", "required", "properties")}
    made["properties"] = {name: each for key, value in keys.items() for name, each in _spelled(key, _value(value), at)}
    made["dependentSchemas"] = _one_spelling(keys)
    required = [_present(key) for key in given.get("required", [])]
    return {**made, "allOf": required} if required else made


def _spelled(key: str, value: Schema, at: str) -> Iterator[tuple[str, Schema]]:
    yield key, value
    # editors offer the first spelling alone
    yield pascal_case(key), {"$ref": f"{at}/properties/{key}", "doNotSuggest": True}


def _one_spelling(keys: Mapping[str, Any]) -> Schema:
    return {pascal_case(key): {"properties": {key: False}} for key in keys}


def _present(key: str) -> Schema:
    return {"anyOf": [{"required": [key]}, {"required": [pascal_case(key)]}]}


def _value(given: Schema) -> Schema:
    """What may stand at a key."""
    notes = {name: given[name] for name in _NOTES if name in given}
    if notes.get("default") is None or isinstance(notes["default"], dict):
        notes.pop("default", None)
    if DEFAULT_TEXT in given:
        notes["description"] = f"{notes.get('description', '')} (default: {given[DEFAULT_TEXT]})"
    shape = {name: value for name, value in given.items() if name not in _NOTES}
    forms = _united(list(_forms(shape)))
    return {**notes, **forms[0]} if len(forms) == 1 else {**notes, "anyOf": forms}


def _forms(given: Schema) -> Iterator[Schema]:
    """The alternatives, none of which has alternatives of its own."""
    own = {name: value for name, value in given.items() if name not in _LEFT_OUT}
    limits = {_LIMITS[name]: value for name, value in given.items() if name in _LIMITS}
    for form in map(dict, given.get("anyOf", [{}])):
        alternatives = [form] if "anyOf" not in form else list(_forms(form))
        for each in alternatives:
            bounded = limits if each.get("type", own.get("type")) in ("integer", "number") else {}
            yield {**{name: value for name, value in each.items() if name not in _LEFT_OUT}, **own, **bounded} | {
                _LIMITS[name]: value for name, value in each.items() if name in _LIMITS
            }


def _united(forms: list[Schema]) -> list[Schema]:
    """Scalars as one form, so that an editor names the limit that a value misses and not a list of alternatives."""
    named = [value for form in forms for value in form.get("enum", [form["const"]] if "const" in form else [])]
    scalars = [form for form in forms if form.get("type") in _SCALARS and "enum" not in form and "const" not in form]
    others = [form for form in forms if form not in scalars and "enum" not in form and "const" not in form]
    types = [form["type"] for form in scalars]
    if types and set(types) != {"null"}:
        return [_scalar(scalars, types), *([{"enum": named}] if named else []), *map(_nested, others)]
    if named and all(isinstance(value, str) for value in named):
        others.append({"type": "object", "$ref": _FROM_ELSEWHERE})
    if types and not named:
        others.append({"type": "null"})
    return [*([{"enum": [*named, *([None] if types else [])]}] if named else []), *map(_nested, others)]


def _scalar(forms: list[Schema], types: list[str]) -> Schema:
    """A text may come from elsewhere, and a number may stand in quotes. A keyword holds for its own type of value."""
    merged: Schema = {}
    for form in forms:
        merged |= form
    number = next((kind for kind in types if kind in _QUOTED), None)
    if number and "string" not in types:
        types, merged = [*types, "string"], {**merged, "pattern": _QUOTED[number]}
    return {**merged, "type": [*types, "object"], "$ref": _FROM_ELSEWHERE}


def _nested(form: Schema) -> Schema:
    """Values of lists and of names that are the user's own."""
    inner = {name: _value(form[name]) for name in ("items", "additionalProperties") if isinstance(form.get(name), dict)}
    return {**form, **inner}


def _from_elsewhere() -> Schema:
    """Without a type, so that it says nothing about values that are no objects."""
    return {
        "description": "`{env: NAME}`, an environment variable, or `{file: PATH}`, a file's text.",
        "properties": {"env": {"type": "string"}, "file": {"type": "string"}},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _function() -> Schema:
    """An entry of `functions`, whose keys depend on its type."""

    def is_of(kind: str) -> Schema:
        return {"anyOf": [{"properties": {key: {"const": kind}}, "required": [key]} for key in ("type", "Type")]}

    branches = [{"if": is_of(kind), "then": {"$ref": _DEFINITIONS + model.__name__}} for kind, model in MODELS.items()]
    known = _value({"enum": list(MODELS), "type": "string", "description": "the kind of function"})
    return {
        "type": "object",
        "properties": {"type": known, "Type": known},
        "allOf": [_present("type"), *branches],
    }


def _source_or_place() -> Schema:
    """A source without an ARN is one that another key says how to reach."""
    reached = [kind.reached_by for kind in KINDS.values() if kind.reached_by is not None]
    otherwise = [
        {"required": [name], "properties": {name: _present(below)}}
        for key, below in reached
        for name in (key, pascal_case(key))
    ]
    return {"anyOf": [*_present(ARN)["anyOf"], *otherwise]}


def _by_kind_of_source() -> Iterator[Schema]:
    """The parameters that a kind of source does not take, and the one that it cannot do without."""
    for kind in KINDS.values():
        arn = {"type": "string", "pattern": f"^arn:[^:]*:{kind.arn_service}:"}
        names = (ARN, pascal_case(ARN))
        of_kind = {"anyOf": [{"properties": {name: arn}, "required": [name]} for name in names]}
        foreign = [key for key in WrittenMapping.model_fields if not_for(kind, key)]
        refused = {name: False for key in foreign for name in (key, pascal_case(key))}
        needed = {} if "starting_position" in foreign else _present("starting_position")
        yield {"if": of_kind, "then": {"properties": refused, **needed}}
