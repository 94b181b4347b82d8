"""What a person gives beside the file, to fill in what the file leaves open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from poller.configuration.reading.documents import DocumentReader, UnreadableError
from poller.configuration.reading.regular import read_text
from poller.configuration.reading.tree import Node, Origin
from poller.values.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Given:
    """Options of `poller import`."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    """Values of the template's parameters, or of a service's options."""
    region: str | None = None
    account: str | None = None
    stack: str | None = None
    """The name of the stack, or the stage."""
    run_here: bool = False
    """Whether functions become entries of this program, which runs their code, instead of names of Lambda functions."""


def tree_of(path: Path, reader: type[DocumentReader]) -> tuple[Node, list[str]]:
    """The tree of a file, and what is wrong with single values. Raises ConfigurationError."""
    origin = Origin(str(path), path.absolute().parent)
    made = reader(origin)
    try:
        text = read_text(path, "utf-8-sig")
        # a template may have any name: JSON is told from YAML by its first character
        root = made.parsed(text, ".json" if text.lstrip().startswith("{") else ".yaml")
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read ({error.strerror or type(error).__name__})"]) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{path}: is not UTF-8 text"]) from error
    except UnreadableError as error:
        where = origin.label if error.line is None else f"{origin.label}:{error.line}"
        raise ConfigurationError([f"{where}: {error.text}"]) from error
    return root, made.problems
