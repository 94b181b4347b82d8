"""FaceRequest: one HTTP request as the services' events need it, and what their events have in common."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

_TEXT = ("application/json", "application/javascript", "application/xml")


@dataclass(frozen=True, slots=True)
class FaceRequest:
    method: str
    path: str
    """Below the path of the face, percent-encoded as it came; at least a slash."""
    query: str
    """As it came."""
    headers: Sequence[tuple[str, str]]
    """In their order, with the case they came in."""
    body: bytes
    source_ip: str
    host: str
    """Without the port."""
    request_id: str
    now: float
    """Epoch seconds."""
    function_arn: str

    def header(self, name: str) -> str | None:
        """The last value of a header; `name` in lower case."""
        found = [value for key, value in self.headers if key.lower() == name]
        return found[-1] if found else None

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """Of the query, decoded."""
        return parse_qsl(self.query, keep_blank_values=True, max_num_fields=None)

    @property
    def raw_parameters(self) -> list[tuple[str, str]]:
        """Of the query, as they came."""
        pairs = [part.partition("=") for part in self.query.split("&") if part]
        return [(name, value) for name, _, value in pairs]


def lists_of(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """All values of each name."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def last_of(lists: Mapping[str, list[str]]) -> dict[str, str]:
    """The last value of each name."""
    return {name: values[-1] for name, values in lists.items()}


def body_of(request: FaceRequest, *, more: bool = False) -> tuple[str, bool]:
    """The body for an event, and whether it is base64. `more` takes the JSON and XML of further types as text."""
    kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
    is_text = kind.startswith("text/") or kind in _TEXT or (more and kind.endswith(("+json", "+xml")))
    if not request.body:
        return "", False
    if is_text and request.header("content-encoding") is None:
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            pass
    return b64encode(request.body).decode(), True
