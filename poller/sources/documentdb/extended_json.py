"""Extended JSON of a BSON document, in its second version, relaxed or canonical.

A relaxed document is written in one pass by the JSON codec, which asks for what JSON does not have. A canonical one,
and one that may hold a NaN or an infinity, is turned into plain values first.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from math import isfinite, isinf
from typing import Any, Literal

from bson.binary import Binary
from bson.code import Code
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from poller.support import codec

Flavour = Literal["relaxed", "canonical"]
OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_MS, unicode_decode_error_handler="replace"
)
"""How documents are decoded: every instant fits, and bytes that are no UTF-8 lose no record."""
_NOT_FINITE = re.compile(rb"[\xf0-\xff][\x7f\xff]")
"""The end of every double that is not finite; other values may look like it, which only costs time."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_10000 = 253_402_300_800_000
"""Milliseconds; relaxed dates are texts from 1970 to the year before."""
_MOST_INT32 = 2**31


def dumps(document: Mapping[str, Any], raw: bytes, flavour: Flavour = "relaxed") -> bytes:
    """The JSON of a document that `OPTIONS` decoded from `raw`. Raises ValueError for what nests too deeply."""
    one_pass = codec.dumps_in_one_pass
    if flavour == "relaxed" and one_pass is not None and not _NOT_FINITE.search(raw):
        try:
            return one_pass(document, _special)
        except TypeError:
            # nested more deeply than the codec goes
            pass
    try:
        return codec.dumps(_plain(document, _canonical if flavour == "canonical" else _relaxed))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _plain(value: Any, scalar: Callable[[Any], Any]) -> Any:
    if isinstance(value, DBRef):
        value = value.as_doc()
    if isinstance(value, Mapping):
        return {key: _plain(child, scalar) for key, child in value.items()}
    if isinstance(value, list):
        return [_plain(child, scalar) for child in value]
    if isinstance(value, Code):
        return _code(value, lambda scope: _plain(scope, scalar))
    return scalar(value)


def _relaxed(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else {"$numberDouble": _double(value)}
    return _special(value)


def _canonical(value: Any) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        fits = not isinstance(value, Int64) and -_MOST_INT32 <= value < _MOST_INT32
        return {"$numberInt" if fits else "$numberLong": str(int(value))}
    if isinstance(value, float):
        return {"$numberDouble": _double(value)}
    if isinstance(value, DatetimeMS):
        return {"$date": {"$numberLong": str(int(value))}}
    return _special(value)


def _double(value: float) -> str:
    if isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value).replace("e", "E") if isfinite(value) else "NaN"


def _special(value: Any) -> Any:
    """The plain form of a type that JSON does not have. Raises TypeError for one that BSON does not have either."""
    form = _FORMS.get(type(value))
    if form is None:
        raise TypeError(f"{type(value).__name__} is no type of BSON")
    return form(value)


def _date(value: DatetimeMS) -> dict[str, Any]:
    milliseconds = int(value)
    if not 0 <= milliseconds < _YEAR_10000:
        return {"$date": {"$numberLong": str(milliseconds)}}
    instant = _EPOCH + timedelta(milliseconds=milliseconds)
    text = instant.isoformat(timespec="milliseconds" if milliseconds % 1000 else "seconds")
    return {"$date": text.replace("+00:00", "Z")}


def _binary(value: Binary | bytes) -> dict[str, Any]:
    kind = value.subtype if isinstance(value, Binary) else 0
    return {"$binary": {"base64": b64encode(value).decode(), "subType": f"{kind:02x}"}}


def _regex(value: Regex[Any]) -> dict[str, Any]:
    flags = "".join(letter for letter, flag in _FLAGS if value.flags & flag)
    pattern = value.pattern if isinstance(value.pattern, str) else value.pattern.decode(errors="replace")
    return {"$regularExpression": {"pattern": pattern, "options": flags}}


def _code(value: Code, scope: Callable[[Any], Any]) -> dict[str, Any]:
    return {"$code": str(value)} | ({} if value.scope is None else {"$scope": scope(value.scope)})


_FLAGS = (
    ("i", re.IGNORECASE),
    ("l", re.LOCALE),
    ("m", re.MULTILINE),
    ("s", re.DOTALL),
    ("u", re.UNICODE),
    ("x", re.VERBOSE),
)
"""BSON's options of a regular expression, in the order in which they stand."""
_FORMS: Mapping[type, Callable[[Any], Any]] = {
    Int64: int,
    ObjectId: lambda value: {"$oid": str(value)},
    DatetimeMS: _date,
    Timestamp: lambda value: {"$timestamp": {"t": value.time, "i": value.inc}},
    Decimal128: lambda value: {"$numberDecimal": str(value)},
    Binary: _binary,
    bytes: _binary,
    Regex: _regex,
    Code: lambda value: _code(value, lambda scope: scope),
    DBRef: lambda value: value.as_doc(),
    MinKey: lambda _: {"$minKey": 1},
    MaxKey: lambda _: {"$maxKey": 1},
}


def plain_key(value: Any) -> str:
    """A document's key as text, the same for the same key."""
    return codec.dumps(_plain(value, _canonical)).decode()
