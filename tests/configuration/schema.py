"""What the JSON Schema says of a configuration file, beside what loading it says."""

import json
import re
from functools import cache
from pathlib import Path

import jsonschema

from poller.configuration.model.schema import schema
from poller.configuration.reading.documents import SUFFIXES, read_document

EXPRESSIBLE = re.compile(
    r": (is (?!missing; (AT_TIMESTAMP|it is the directory|it needs|a stream's))[^;]*; )?"
    r"(is not a known key|is missing; it is required|it must be (a whole number|a number|text|true or false|a list)"
    r"|it must be (at least|at most|more than)|it must hold keys|may hold at most"
    r"|it must be '|must not be empty|is for functions of type|is not supported for (an SQS|a Kinesis|a DynamoDB)"
    r"|is not supported: )"
)
"""Refusals of one key for itself: its name, type, range or choice."""
LARGEST = 50_000
"""Bytes of a file that is validated: the validator is slow."""


@cache
def validator():
    return jsonschema.Draft202012Validator(schema())


def errors_of(document) -> list[str]:
    """`document` as JSON has it: a date of YAML's is text."""
    plain = json.loads(json.dumps(document, default=lambda value: value.isoformat()))
    return [f"{error.json_path}: {error.message[:200]}" for error in validator().iter_errors(plain)]


def errors_of_file(path: Path) -> list[str]:
    """Of a file of settings; none of a file that is too large, or that is no document (`.env`)."""
    if path.suffix not in SUFFIXES or path.stat().st_size > LARGEST:
        return []
    return errors_of(read_document(path)[0].plain())


def expressible(problem: str) -> Path | None:
    """The file in which a schema can find this problem."""
    path = Path(problem.partition(":")[0])
    amount_of_text = "max_bytes_in_flight: is" in problem and "it must be at least" in problem
    return path if path.is_file() and EXPRESSIBLE.search(problem) and not amount_of_text else None
