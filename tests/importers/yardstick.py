"""The templates of SAM's own tests, imported: `python -m tests.importers.yardstick DIRECTORY` prints a table.

DIRECTORY is `tests/translator` of a checkout of aws/serverless-application-model. Beside each template lies what SAM's
translator makes of it. Both are imported, and have to give the same mappings.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poller.importers.cloudformation.importer import MAPPING, read
from poller.importers.given import Given
from poller.importers.taking import Imported, take

GIVEN = Given(region="us-east-1", account="123456789012", stack="stack")
KAFKA_AND_BROKERS = ("SelfManagedEventSource", "Topics", "Queues")


@dataclass(frozen=True)
class Row:
    template: str
    mappings: int
    """Mappings in SAM's own translation."""
    brokers: int
    """Those among them that are of Kafka or a message broker."""
    taken: int
    refused: int
    holes: int
    left_out: int
    differences: list[str]


def templates(directory: Path) -> Iterator[tuple[Path, Path]]:
    """`(template, translation)` of every template whose translation has a mapping."""
    for translated in sorted((directory / "output").glob("*.json")):
        resources = json.loads(translated.read_text()).get("Resources", {})
        template = directory / "input" / f"{translated.stem}.yaml"
        if template.exists() and any(resource.get("Type") == MAPPING for resource in resources.values()):
            yield template, translated


def row(template: Path, translated: Path) -> Row:
    resources = json.loads(translated.read_text())["Resources"].values()
    mappings = [resource["Properties"] for resource in resources if resource.get("Type") == MAPPING]
    found, other = imported(template), imported(translated)
    return Row(
        template.stem,
        len(mappings),
        sum(any(key in mapping for key in KAFKA_AND_BROKERS) for mapping in mappings),
        len(found.entries),
        found.refused,
        sum(len(entry.holes) for entry in found.entries),
        sum(len(entry.left_out) for entry in found.entries),
        list(differences(found, other)),
    )


def imported(path: Path) -> Imported:
    return take(read(path, GIVEN), path.parent)


def differences(found: Imported, other: Imported) -> Iterator[str]:
    """What the translation has otherwise; SAM names mappings itself, so names are not compared."""
    one = sorted(json.dumps(bare(entry.values), sort_keys=True) for entry in found.entries)
    two = sorted(json.dumps(bare(entry.values), sort_keys=True) for entry in other.entries)
    yield from (f"only in the template: {each}" for each in one if each not in two)
    yield from (f"only in the translation: {each}" for each in two if each not in one)


def bare(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != "name"}


def table(rows: list[Row]) -> Iterator[str]:
    yield "| template | mappings | of brokers | taken | not taken | holes | left out |"
    yield "|---|---|---|---|---|---|---|"
    for one in rows:
        counts = (one.mappings, one.brokers, one.taken, one.refused, one.holes, one.left_out)
        yield f"| {one.template} | {' | '.join(map(str, counts))} |"
    keys = ("mappings", "brokers", "taken", "refused", "holes", "left_out")
    sums = [sum(getattr(one, key) for one in rows) for key in keys]
    yield f"| **{len(rows)} templates** | {' | '.join(map(str, sums))} |"
    yield from (f"{one.template}: {difference}" for one in rows for difference in one.differences)


if __name__ == "__main__":
    for line in table([row(*pair) for pair in templates(Path(sys.argv[1]))]):
        sys.stdout.write(f"{line}\n")
