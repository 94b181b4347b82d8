"""EnvelopeKind: the form of a row. Content: the body of a message, read once for all rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from poller.support import codec

Code = Literal["unknown", "not_json", "corrupt", "too_large"]
"""`unknown`: another service's message, or none; `not_json`: text where JSON has to be; `corrupt`: it says that it is
an envelope, and cannot be opened; `too_large`: it decompresses to more than is read."""


class NoEnvelope(Exception):
    """A body holds no event of the services that are asked for."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Content:
    """What a body holds."""

    text: str
    document: Any
    """The text read as JSON; None for text that is not JSON."""

    def member(self, name: str) -> Any:
        """A member of the document; None where it is no object or has none."""
        return self.document.get(name) if isinstance(self.document, dict) else None

    def holds_texts(self, *names: str) -> bool:
        """Whether the document has all these members, each a text."""
        return all(isinstance(self.member(name), str) for name in names)

    def records_of(self, event_source: str, member: str = "eventSource") -> bool:
        """Whether it is an event already: `Records`, all from this source."""
        records = self.member("Records")
        return (
            isinstance(records, list)
            and bool(records)
            and all(isinstance(record, dict) and record.get(member) == event_source for record in records)
        )


@dataclass(frozen=True, slots=True)
class EnvelopeKind:
    """One service whose events may wait in a queue."""

    title: str
    """For sentences: `an S3 event notification`."""
    knows: Callable[[Content], bool]
    """Whether this is an envelope of the service."""
    event: Callable[[Content, str], str | None]
    """The event in it, for the function with this ARN; None for a test message. Raises NoEnvelope."""

    def open(self, content: Content, function_arn: str) -> str | None:
        """The event. Raises NoEnvelope."""
        if not self.knows(content):
            code: Code = "not_json" if content.document is None else "unknown"
            raise NoEnvelope(code, f"the body is not {self.title}")
        return self.event(content, function_arn)


def read(body: str) -> Content:
    """A body, or the message inside of one."""
    try:
        return Content(body, codec.loads(body.encode("utf-8", "backslashreplace")))
    except ValueError:
        return Content(body, None)


def as_it_is(content: Content, _function_arn: str) -> str:
    """For services that send to a queue what they would invoke a function with."""
    return content.text


def written(event: dict[str, Any]) -> str:
    """The JSON text of an event."""
    return codec.dumps(event).decode()
