"""JSON comes and goes the same with orjson and without, and base64 with pybase64."""

import base64
import contextlib
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.support import codec
from poller.support.built import built

any_text = st.text(st.characters())  # lone surrogates included
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | any_text,
    lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
)
BOTH = pytest.mark.parametrize(
    ("loads", "dumps"), [(codec.loads, codec.dumps), (codec.plain_loads, codec.plain_dumps)], ids=["orjson", "json"]
)


@BOTH
@given(value=values)
def test_what_json_can_hold_survives(loads: Any, dumps: Any, value: Any) -> None:
    text = dumps(value)
    text.decode()  # it is UTF-8, whatever the strings hold
    assert json.loads(text) == json.loads(json.dumps(value))
    if not any(abs(number) >= 2**63 for number in _integers(value)):
        assert loads(text) == json.loads(text)


def _integers(value: Any) -> list[int]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in _integers(item)]
    return [value] if isinstance(value, int) else []


@given(value=values)
def test_both_write_the_same_bytes(value: Any) -> None:
    assert codec.dumps(value) == codec.plain_dumps(value)


@BOTH
def test_the_form_is_compact_and_keeps_text_as_it_is(loads: Any, dumps: Any) -> None:
    assert dumps({"a": [1, "é", "\u2028", "\x7f", "/"]}) == '{"a":[1,"é","\u2028","\x7f","/"]}'.encode()
    assert dumps('"\\\n\x00\x1f') == b'"\\"\\\\\\n\\u0000\\u001f"'
    assert loads(b' {"a" : 1 , "a" : 2} ') == {"a": 2}


@BOTH
def test_a_lone_surrogate_is_its_escape_both_ways(loads: Any, dumps: Any) -> None:
    assert dumps("a\ud800b") == rb'"a\ud800b"'
    assert loads(rb'"a\ud800b"') == "a\ud800b"
    assert dumps({"\udfff": "é"}) == b'{"\\udfff":"\xc3\xa9"}'


@BOTH
@pytest.mark.parametrize(
    "data", [b"", b"{", b"NaN", b"[Infinity]", b"-Infinity", b'"\xff"', b"\xef\xbb\xbf{}", b"1 2", b"[" * 100_000]
)
def test_what_is_no_json_is_a_value_error(loads: Any, dumps: Any, data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the promise
        loads(data)


@BOTH
@given(data=st.binary())
def test_no_bytes_raise_anything_else(loads: Any, dumps: Any, data: bytes) -> None:
    with contextlib.suppress(ValueError):
        loads(data)


def test_nothing_needs_the_accelerators() -> None:
    program = (
        "import sys\n"
        "for name in ('orjson', 'uvloop', 'pybase64'): sys.modules[name] = None\n"
        "from poller.daemon import accelerators\n"
        "from poller.support import codec\n"
        "async def main(): return codec.loads(codec.dumps({'a': 'b'}))\n"
        "assert accelerators.run(main()) == {'a': 'b'}\n"
        "assert codec.base64_decoder()('e30=', None, True) == b'{}'\n"
        "print(accelerators.describe())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip().endswith("'event_loop': 'asyncio', 'json': 'json', 'base64': 'base64'}")


def test_the_accelerators_are_used_where_they_are() -> None:
    from poller.daemon import accelerators

    async def main() -> str:
        import asyncio

        return type(asyncio.get_running_loop()).__module__

    assert accelerators.run(main()).startswith("uvloop")
    assert [text.split()[0] for text in accelerators.describe().values()] == [
        built(),
        "uvloop",
        "orjson",
        "pybase64",
    ]


@pytest.mark.parametrize("decode", [codec.base64_decoder(), base64.b64decode], ids=["pybase64", "base64"])
def test_base64_is_read_strictly_either_way(decode: Any) -> None:
    assert decode("eyJhIjogMX0=", None, True) == b'{"a": 1}'
    for text in ("!", "abc", "ab c=", "e30", "e30=e30=", "\u00e9"):
        with pytest.raises(ValueError):  # noqa: PT011  (any will do)
            decode(text, None, True)
