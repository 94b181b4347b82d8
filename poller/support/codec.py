r"""JSON from and to bytes: orjson where it is installed, the standard library where it is not or where orjson refuses.

Both ways give the same: compact UTF-8, and a lone surrogate (which Python and JSON can hold and UTF-8 cannot) read from
and written as its `\uXXXX` escape. NaN and the infinities are not JSON and refused when read.
"""

import base64
import json
from collections.abc import Callable
from typing import Any, NoReturn

try:
    import orjson
except ImportError:
    ORJSON = False
else:
    ORJSON = True

_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def base64_decoder() -> Callable[[str, None, bool], bytes]:
    """The fastest base64 decoder here, called with a text, None and True. Raises ValueError for text that is not
    base64.

    It is loaded only now, because only filters on streams need it.
    """
    try:
        from pybase64 import b64decode  # noqa: PLC0415
    except ImportError:
        return base64.b64decode
    return b64decode


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def plain_loads(data: bytes) -> Any:
    """Raise ValueError, and nothing else, for what is not JSON in UTF-8."""
    try:
        return json.loads(data.decode(), parse_constant=_not_json)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def plain_dumps(value: Any) -> bytes:
    # backslashreplace meets only lone surrogates here, and its form of them is JSON's own escape
    return _encoder.encode(value).encode("utf-8", "backslashreplace")


def ascii_text(value: Any) -> str:
    """JSON that fits a header: ASCII, without line breaks."""
    return json.dumps(value, separators=(",", ":"))


def verbatim(text: bytes) -> Any:
    """JSON as a value that `dumps` writes byte for byte; without orjson, as it is read. What is no JSON is a string."""
    try:
        value = loads(text)
    except ValueError:
        return text.decode("utf-8", "replace")
    return orjson.Fragment(text) if ORJSON else value


if ORJSON:
    _fast_loads, _fast_dumps = orjson.loads, orjson.dumps
    fast_loads: Callable[[str | bytes], Any] | None = orjson.loads
    """For text whose reader does not need the exact answer on what is not JSON; None where nothing is faster than the
    standard library."""

    def loads(data: bytes) -> Any:
        """Raise ValueError, and nothing else, for what is not JSON in UTF-8."""
        try:
            return _fast_loads(data)
        except ValueError:
            return plain_loads(data)

    def _one_pass(value: Any, default: Callable[[Any], Any]) -> bytes:
        return orjson.dumps(value, default, orjson.OPT_PASSTHROUGH_SUBCLASS)

    dumps_in_one_pass: Callable[[Any, Callable[[Any], Any]], bytes] | None = _one_pass
    """Compact JSON of values among which are others than JSON's, which the second argument turns into JSON's; so are
    instances of subclasses of these. Raises TypeError; None where there is nothing faster than doing so before."""

    def dumps(value: Any) -> bytes:
        """Compact JSON. Raises TypeError or ValueError for what JSON cannot hold, but never for a string."""
        try:
            return _fast_dumps(value)
        except TypeError:
            return plain_dumps(value)

else:
    loads, dumps = plain_loads, plain_dumps
    fast_loads = dumps_in_one_pass = None
