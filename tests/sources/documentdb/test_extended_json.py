"""Extended JSON, relaxed and canonical, of every type of BSON; with and without the faster codec."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson.binary import Binary
from bson.code import Code
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from poller.sources.documentdb.extended_json import OPTIONS, dumps
from poller.support import codec

VALUES = {
    "text": ("é \N{SNOWMAN} \0", '"é ☃ \\u0000"', None),
    "null": (None, "null", None),
    "true": (True, "true", None),
    "int": (42, "42", '{"$numberInt":"42"}'),
    "long": (Int64(42), "42", '{"$numberLong":"42"}'),
    "large": (2**53, "9007199254740992", '{"$numberLong":"9007199254740992"}'),
    "smallest int": (-(2**31), "-2147483648", '{"$numberInt":"-2147483648"}'),
    "double": (1.5, "1.5", '{"$numberDouble":"1.5"}'),
    "whole double": (1.0, "1.0", '{"$numberDouble":"1.0"}'),
    "minus zero": (-0.0, "-0.0", '{"$numberDouble":"-0.0"}'),
    "NaN": (float("nan"), '{"$numberDouble":"NaN"}', '{"$numberDouble":"NaN"}'),
    "infinity": (float("inf"), '{"$numberDouble":"Infinity"}', '{"$numberDouble":"Infinity"}'),
    "minus infinity": (float("-inf"), '{"$numberDouble":"-Infinity"}', '{"$numberDouble":"-Infinity"}'),
    "looks infinite": (Int64(-1), "-1", '{"$numberLong":"-1"}'),
    "decimal": (Decimal128("1.20E+9"), '{"$numberDecimal":"1.20E+9"}', None),
    "object id": (ObjectId("63eeb6e7d418cd98afb1c1d7"), '{"$oid":"63eeb6e7d418cd98afb1c1d7"}', None),
    "date": (
        datetime(2026, 1, 31, 12, 0, 0, 123000, UTC),
        '{"$date":"2026-01-31T12:00:00.123Z"}',
        '{"$date":{"$numberLong":"1769860800123"}}',
    ),
    "whole second": (
        datetime(2026, 1, 31, 12, 0, 0, 0, UTC),
        '{"$date":"2026-01-31T12:00:00Z"}',
        '{"$date":{"$numberLong":"1769860800000"}}',
    ),
    "old date": (
        datetime(1969, 12, 31, 23, 59, 59, 0, UTC),
        '{"$date":{"$numberLong":"-1000"}}',
        '{"$date":{"$numberLong":"-1000"}}',
    ),
    "far date": (
        bson.datetime_ms.DatetimeMS(253402300800000),
        '{"$date":{"$numberLong":"253402300800000"}}',
        '{"$date":{"$numberLong":"253402300800000"}}',
    ),
    "timestamp": (Timestamp(1760000000, 9), '{"$timestamp":{"t":1760000000,"i":9}}', None),
    "binary": (Binary(b"\xff\xfe", 128), '{"$binary":{"base64":"//4=","subType":"80"}}', None),
    "plain binary": (b"abc", '{"$binary":{"base64":"YWJj","subType":"00"}}', None),
    "regex": (
        Regex("^a.c", re.IGNORECASE | re.MULTILINE),
        '{"$regularExpression":{"pattern":"^a.c","options":"im"}}',
        None,
    ),
    "code": (Code("f()"), '{"$code":"f()"}', None),
    "code with scope": (
        Code("f()", {"n": 1, "x": Int64(2)}),
        '{"$code":"f()","$scope":{"n":1,"x":2}}',
        '{"$code":"f()","$scope":{"n":{"$numberInt":"1"},"x":{"$numberLong":"2"}}}',
    ),
    "reference": (DBRef("c", 1), '{"$ref":"c","$id":1}', '{"$ref":"c","$id":{"$numberInt":"1"}}'),
    "least": (MinKey(), '{"$minKey":1}', None),
    "most": (MaxKey(), '{"$maxKey":1}', None),
    "list": ([1, [Int64(2)]], "[1,[2]]", '[{"$numberInt":"1"},[{"$numberLong":"2"}]]'),
    "object": ({"b": 1, "a": {}}, '{"b":1,"a":{}}', '{"b":{"$numberInt":"1"},"a":{}}'),
}


@pytest.fixture(params=["orjson", "standard library"])
def _codec(request, monkeypatch):
    if request.param == "orjson":
        assert codec.dumps_in_one_pass is not None
    else:
        monkeypatch.setattr(codec, "dumps_in_one_pass", None)


@pytest.mark.usefixtures("_codec")
@pytest.mark.parametrize("name", VALUES)
def test_each_type_has_its_form(name):
    value, relaxed, canonical = VALUES[name]
    raw = bson.encode({"v": value})
    document: dict[str, Any] = bson.decode(raw, OPTIONS)
    assert dumps(document, raw, "relaxed").decode() == f'{{"v":{relaxed}}}'
    assert dumps(document, raw, "canonical").decode() == f'{{"v":{canonical or relaxed}}}'


def test_text_that_is_no_utf8_loses_no_change():
    raw = bson.encode({"v": "ab"}).replace(b"ab", b"a\xff")
    document: dict[str, Any] = bson.decode(raw, OPTIONS)
    assert json.loads(dumps(document, raw)) == {"v": "a\ufffd"}


def test_a_document_that_is_nested_as_deeply_as_a_server_allows_is_written():
    value: Any = 1
    for _ in range(190):
        value = [{"d": value}]
    raw = bson.encode({"v": value})
    document: dict[str, Any] = bson.decode(raw, OPTIONS)
    found = json.loads(dumps(document, raw))
    assert found == {"v": value}
