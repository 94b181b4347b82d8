"""`poller filter test`: shows whether a pattern matches a record, and why.

It reads a pattern and an event from files, as they are copied from a console, a template or a log, and answers record
by record. The engine itself is `poller.policy.filtering`, imported only when the command runs.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from poller.cli.configured import examples
from poller.sources.kind import SourceKind
from poller.sources.kinds import KINDS
from poller.support.printable import say
from poller.values.errors import ConfigurationError

if TYPE_CHECKING:
    from poller.policy.filtering import Clause, Filter

MATCH, NO_MATCH = 0, 1

_NAMES = ", ".join(KINDS)


def _known(record: str | None) -> str | None:
    if record is not None and record not in KINDS:
        raise typer.BadParameter(f"{record!r} is not one of {_NAMES}")
    return record


app = typer.Typer(help="Try filter patterns on records.", no_args_is_help=True)


@app.callback()
def _filter() -> None:
    pass


@app.command("test", epilog=examples("filter test --pattern p.json --event event.json --explain"))
def try_pattern(
    *,
    pattern: Annotated[
        Path, typer.Option(metavar="FILE", help="A pattern, or filter criteria with several; JSON or YAML.")
    ],
    event: Annotated[Path, typer.Option(metavar="FILE", help="One record, or a whole Lambda event, as JSON.")],
    record: Annotated[
        str | None,
        typer.Option(metavar="KIND", callback=_known, help=f"{_NAMES}; else guessed."),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show each condition and the values it met.")] = False,
) -> None:
    """Say which records a pattern matches.

    Exit 0 if one matches, 1 if none does, 2 if the pattern is invalid.
    """
    raise typer.Exit(_try(pattern, event, KINDS[record] if record else None, explain=explain))


def _try(pattern: Path, event: Path, kind: SourceKind | None, *, explain: bool) -> int:
    from poller.policy import filtering  # noqa: PLC0415  (only this command and running mappings need the engine)

    records = _records(event)
    patterns = _patterns(pattern)
    matched = False
    for number, record in enumerate(records, 1):
        of_kind = kind or _guess(record, event)
        try:
            criteria = filtering.compile_filters(patterns, of_kind.members)
        except filtering.PatternError as error:
            raise ConfigurationError([f"{pattern}: {error}"]) from None
        try:
            view, payload = of_kind.split(record)
        except ValueError as error:
            raise ConfigurationError([f"{event}: {error}"]) from None
        verdict = criteria.match(view, payload)
        matched = matched or bool(verdict)
        say(f"record {number}: {verdict.value}" if len(records) > 1 else verdict.value)
        if explain:
            _show(criteria, filtering.explain(criteria, view, payload))
    return MATCH if matched else NO_MATCH


def _show(criteria: "Filter", clauses: list["Clause"]) -> None:
    for number in range(len(criteria.alternatives)):
        say(f"  filter {number + 1}")
        for clause in (clause for clause in clauses if clause.filter == number):
            if not clause.path:
                say(f"    fails  {clause.note}")
                continue
            found = ", ".join(clause.found) or "nothing"
            note = f" ({clause.note})" if clause.note else ""
            say(f"    {'holds' if clause.holds else 'fails'}  {clause.path}: {clause.wanted} on {found}{note}")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path}: cannot be read: {error}"]) from None


def _patterns(path: Path) -> list[Any]:
    """The one pattern of the file, or the patterns of copied filter criteria."""
    text = _read(path)
    try:
        given = _yaml(text) if path.suffix in (".yaml", ".yml") else json.loads(text)
    except ConfigurationError as error:
        raise ConfigurationError([f"{path}: {problem}" for problem in error.problems]) from None
    except (ValueError, RecursionError):
        return [text]  # the engine reports best what is wrong with it
    filters = given.get("Filters", given.get("filters")) if isinstance(given, dict) and len(given) == 1 else None
    if not isinstance(filters, list) or not all(isinstance(one, dict) for one in filters):
        return [given if path.suffix in (".yaml", ".yml") else text]
    return [one.get("Pattern", one.get("pattern")) for one in filters]


def _yaml(text: str) -> Any:
    import yaml  # noqa: PLC0415

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError([f"not YAML: {error}"]) from None


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        event = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError([f"{path}: not JSON: {error}"]) from None
    records = event.get("Records", [event]) if isinstance(event, dict) else [event]
    if not isinstance(records, list) or not records or not all(isinstance(record, dict) for record in records):
        raise ConfigurationError([f"{path}: neither a record nor an event with Records"])
    return records


def _guess(record: dict[str, Any], path: Path) -> SourceKind:
    found = next((kind for kind in KINDS.values() if kind.sign in record), None)
    if found is not None:
        return found
    names = ", ".join(kind.sign for kind in KINDS.values())
    raise ConfigurationError([f"{path}: what record is this? It has none of {names}; say so with --record"])
