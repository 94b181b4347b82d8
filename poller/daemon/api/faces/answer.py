"""What goes back: status, headers and body, made of a function's answer; and answers that are none."""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from poller.support import codec

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OF_CONNECTIONS = frozenset(
    {"connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that the server writes, so that no answer can end before or after its body."""


class Malformed(Exception):
    """A function's answer does not have the form that the service asks for."""


@dataclass(slots=True)
class FaceAnswer:
    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def has(self, name: str) -> bool:
        return any(key.lower() == name for key, _ in self.headers)


def plain(status: int, text: str, kind: str = "text/plain") -> FaceAnswer:
    return FaceAnswer(status, [("Content-Type", kind)], text.encode())


def message(status: int, text: str) -> FaceAnswer:
    """As API Gateway says it."""
    return FaceAnswer(status, [("Content-Type", "application/json")], codec.dumps({"message": text}))


def document_of(body: bytes) -> Any:
    """A function's answer. Raises Malformed."""
    try:
        return codec.loads(body) if body else None
    except ValueError as error:
        raise Malformed(f"the answer is not JSON: {error}") from error


def status_of(answer: dict[str, Any]) -> int:
    """Raises Malformed."""
    status = answer.get("statusCode")
    if isinstance(status, str) and status.isascii() and status.isdecimal() and len(status) == 3:
        status = int(status)
    if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 599:
        raise Malformed(f"statusCode is {str(status)[:40]!r}; it must be a number from 200 to 599")
    return status


def headers_of(given: Any) -> list[tuple[str, str]]:
    """Of `headers`: one value each. Raises Malformed."""
    if given is None:
        return []
    if not isinstance(given, dict):
        raise Malformed("headers is no object")
    return list(_checked((name, value) for name, value in given.items() if value is not None))


def multi_headers_of(given: Any) -> list[tuple[str, str]]:
    """Of `multiValueHeaders`: a list of values each. Raises Malformed."""
    if given is None:
        return []
    if not isinstance(given, dict) or not all(isinstance(values, list) for values in given.values()):
        raise Malformed("multiValueHeaders is no object of lists")
    return list(_checked((name, value) for name, values in given.items() for value in values))


def _checked(pairs: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, str]]:
    for name, value in pairs:
        if isinstance(value, bool):
            text = "true" if value else "false"
        elif isinstance(value, str | int | float):
            text = str(value)
        else:
            raise Malformed(f"the header {name[:60]!r} is no text")
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(text):
            raise Malformed(f"the header {name[:60]!r} cannot be sent: it has characters that headers have not")
        if name.lower() not in _OF_CONNECTIONS:
            yield name, text


def bytes_of(answer: dict[str, Any]) -> bytes:
    """The body. Raises Malformed."""
    body = answer.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise Malformed("body is no text")
    if answer.get("isBase64Encoded") is True:
        try:
            return b64decode(body, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Malformed("body is not base64, and isBase64Encoded is true") from error
    return body.encode("utf-8", "replace")
