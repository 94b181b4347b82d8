import base64
import gzip
import json
from typing import Any

import pytest

from poller.policy.decoding import change, readable

OBJECT = {"a": ["é", 1]}
TEXT = json.dumps(OBJECT)
PRETTY = json.dumps(OBJECT, ensure_ascii=False, indent=1)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("payload", "text", "packed"),
    [
        (TEXT, PRETTY, ["JSON"]),
        (TEXT.encode(), PRETTY, ["JSON"]),
        (b64(TEXT.encode()), PRETTY, ["base64", "JSON"]),
        (gzip.compress(TEXT.encode(), mtime=0), PRETTY, ["gzip", "JSON"]),
        (b64(gzip.compress(TEXT.encode(), mtime=0)), PRETTY, ["base64", "gzip", "JSON"]),
        (gzip.compress(b"plain", mtime=0), "plain", ["gzip"]),
        ("plain", "plain", []),
        ("abcd", "abcd", []),
        ("é", "é", []),
        (b"\xff\x00", "ff 00", ["bytes"]),
        (b"\x1f\x8bnot", "1f 8b 6e 6f 74", ["gzip", "bytes"]),
        ("[" * 100_000, "[" * 100_000, []),
        ("", "", []),
    ],
)
def test_a_payload_is_shown_as_what_it_is(payload: Any, text: str, packed: list[str]) -> None:
    assert readable(payload) == (text, packed)


def test_a_change_of_a_table_is_shown_in_plain_values() -> None:
    typed = {
        "s": {"S": "x"},
        "n": {"N": "1"},
        "f": {"N": "1.5"},
        "big": {"N": "123456789012345678901234567890.123"},
        "odd": {"N": "x"},
        "none": {"N": None},
        "ns": {"NS": ["1", "2"]},
        "m": {"M": {"l": {"L": [{"BOOL": True}, {"NULL": True}]}}},
        "b": {"B": "YQ=="},
        "new": {"X": 1},
        "two": {"S": "a", "N": "1"},
        "wrong": {"L": "x"},
    }
    plain = change({"Keys": typed, "SequenceNumber": "7", "OldImage": None})
    assert plain["SequenceNumber"] == "7"
    assert plain["OldImage"] is None
    assert plain["Keys"] == {
        "s": "x",
        "n": 1,
        "f": 1.5,
        "big": "123456789012345678901234567890.123",
        "odd": "x",
        "none": {"N": None},
        "ns": [1, 2],
        "m": {"l": [True, None]},
        "b": "YQ==",
        "new": {"X": 1},
        "two": {"S": "a", "N": "1"},
        "wrong": {"L": "x"},
    }
