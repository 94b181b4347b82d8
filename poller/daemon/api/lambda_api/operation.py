"""One operation of Lambda's API: the row that names it, what it is called with and what it answers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from multidict import CIMultiDictProxy, MultiMapping

from poller.configuration import Scope
from poller.daemon.api.lambda_api.errors import LambdaError
from poller.support import codec

CONTROL_BODY = 1024 * 1024
"""Bytes of the body of a call that describes something; a mapping with the largest filters has some 30 kB."""
CONTROL_SECONDS = 30.0
"""For a call that describes something, a look at its source included."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose caller is known and may make it."""

    parts: Mapping[str, str]
    """The variable parts of the path, decoded."""
    query: MultiMapping[str]
    headers: CIMultiDictProxy[str]
    body: bytes
    request_id: str
    region: str | None
    """For which it was signed; None with a bearer token."""

    def document(self) -> dict[str, Any]:
        """The body, which has to be a JSON object. Raises LambdaError."""
        try:
            document = codec.loads(self.body)
        except ValueError as error:
            text = f"Could not parse request body into json: {error}"
            raise LambdaError("InvalidRequestContentException", text) from error
        if not isinstance(document, dict):
            raise LambdaError("InvalidRequestContentException", "Could not parse request body into json: no object")
        return document


@dataclass(frozen=True, slots=True)
class Answer:
    """`body`: bytes as they are, anything else as JSON; None for an empty one."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """A method and a path, and what answers it."""

    name: str
    """AWS's name of it."""
    method: str
    path: str
    """Segments between slashes; `{name}` stands for any one segment. A slash at the end makes no difference."""
    scope: Scope
    """What a credential must allow."""
    handle: Callable[[Call], Awaitable[Answer]]
    """Raises LambdaError."""
    body_limit: int = CONTROL_BODY
    """Most bytes of the request's body."""
    seconds: float = CONTROL_SECONDS
    """For the answer, once the body is there."""
    any_content: bool = False
    """Whether the body may be of any content type; otherwise it has to be JSON."""

    segments: tuple[str, ...] = field(init=False)
    """Of the path."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "segments", tuple(self.path.strip("/").split("/")))

    def match(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        """The variable parts of a path; None where it is another one."""
        if len(self.segments) != len(segments):
            return None
        parts: dict[str, str] = {}
        for expected, given in zip(self.segments, segments, strict=True):
            if expected[0] == "{":
                parts[expected[1:-1]] = given
            elif expected != given:
                return None
        return parts
