"""The BSON corpus of MongoDB's specifications: `python -m tests.sources.documentdb.corpus DIRECTORY` prints what differs.

DIRECTORY is `source/bson-corpus/tests` of a checkout of mongodb/specifications. What is left are the types that MongoDB
has deprecated (symbol, undefined, DBPointer), which the driver reads as their successors.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson

from poller.sources.documentdb.extended_json import OPTIONS, Flavour, dumps

FLAVOURS: tuple[Flavour, ...] = ("canonical", "relaxed")


def differences(directory: Path, counts: Counter[tuple[Flavour, bool]]) -> Iterator[str]:
    """A line for each case that is not as the corpus has it; a relaxed form only where the corpus has one."""
    for path in sorted(directory.glob("*.json")):
        for case in json.loads(path.read_text()).get("valid", []):
            raw = bytes.fromhex(case["canonical_bson"])
            document: dict[str, Any] = bson.decode(raw, OPTIONS)
            for flavour in FLAVOURS:
                wanted = case.get(f"{flavour}_extjson")
                if wanted is None:
                    continue
                found = json.loads(dumps(document, raw, flavour))
                counts[flavour, json.dumps(found) == json.dumps(json.loads(wanted))] += 1
                if json.dumps(found) != json.dumps(json.loads(wanted)):
                    yield f"{path.stem}, {case['description']}, {flavour}: {wanted} became {json.dumps(found)}"


if __name__ == "__main__":
    found_counts: Counter[tuple[Flavour, bool]] = Counter()
    for line in differences(Path(sys.argv[1]), found_counts):
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{dict(found_counts)}\n")
