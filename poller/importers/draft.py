"""What an importer finds: mappings as another tool has them, with holes where a value cannot be known here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

UNKNOWN_ACCOUNT = "000000000000"
UNKNOWN_REGION = "us-east-1"
SERVICES = ".amazonaws.com"
"""How the principal of a permission ends that is a service of AWS: one that invokes the function."""
HOLE = "# HOLE "
"""Begins the comment that stands for a missing value; its key, a colon and the reason follow."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A value that only the other tool, or the deployed stack, knows."""

    sketch: str
    """The value as far as it is known, with the names of unknown parts in their places."""
    reasons: tuple[str, ...]
    """One for each part that is not known."""

    @classmethod
    def of(cls, sketch: str, reason: str) -> "Hole":
        return cls(sketch, (reason,))


class Remark(NamedTuple):
    """Something that was not taken, or not taken as it stands."""

    place: str
    """File and line, or the address within a file or a service."""
    text: str


@dataclass(slots=True)
class Draft:
    """One mapping with the parameters of CreateEventSourceMapping by the names that AWS gives them."""

    name: str
    place: str
    title: str
    """Its address in the file, such as `Resources.Mapping`."""
    parameters: dict[str, Any]
    """Values may be, and may contain, `Hole`s."""
    places: Mapping[str, str] = field(default_factory=dict)
    """The place of single parameters; the others have the draft's."""
    example_arn: str | None = None
    """The ARN to write where even the sketch of the source's ARN is none, with the kind of source that is meant."""


@dataclass(slots=True)
class Findings:
    """All that one importer read."""

    drafts: list[Draft] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    functions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Entries of `functions` that the drafts name."""
    refused: int = 0
    """Mappings without a draft, and triggers that are no mappings; each has a remark."""
    _refused: dict[tuple[str, str], int] = field(default_factory=dict)
    """The remark of each function and reason."""

    def refuse(self, place: str, text: str) -> None:
        """Note a mapping or another trigger that cannot be taken at all."""
        self.refused += 1
        self.remarks.append(Remark(place, f"not taken: {text}"))

    def refuse_once(self, place: str, title: str, why: str, *, of: str) -> None:
        """The same, for what may be written several times of one function: the others are named in its line."""
        first = self._refused.setdefault((of, why), len(self.remarks))
        if first == len(self.remarks):
            self.refuse(place, f"{title}: {why}")
        else:
            before = self.remarks[first]
            self.remarks[first] = before._replace(text=f"{before.text}; {title} is of the same")


FUNCTION_URL = "a function URL: it is no event source mapping; `http_face` gives a function one here"
"""Why it is refused."""


def no_mapping(kind: str) -> str:
    """Why an event of that kind is refused."""
    return f"{kind} event: it is no event source mapping; what sends it has to invoke the function by itself"


def has_hole(value: Any) -> bool:
    """Whether a value is a hole or contains one."""
    return bool(reasons_in(value))


def reasons_in(value: Any) -> tuple[str, ...]:
    """The reasons of all holes in a value, each once."""
    if isinstance(value, Hole):
        return value.reasons
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return tuple(dict.fromkeys(reason for child in children for reason in reasons_in(child)))


def join(parts: list[Any]) -> str | Hole:
    """The parts as one text; a hole if any of them is one."""
    sketch = "".join(part.sketch if isinstance(part, Hole) else text_of(part) for part in parts)
    reasons = reasons_in(parts)
    return Hole(sketch, reasons) if reasons else sketch


def text_of(value: Any) -> str:
    """A scalar as text, as CloudFormation and JSON write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def sketch_of(value: Any) -> Any:
    """The value with each hole replaced by its sketch."""
    if isinstance(value, Hole):
        return value.sketch
    if isinstance(value, dict):
        return {key: sketch_of(child) for key, child in value.items()}
    return [sketch_of(child) for child in value] if isinstance(value, list) else value
