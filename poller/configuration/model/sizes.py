"""Sizes in bytes as people write them: `512 MiB`, `64MB`, or a bare number of bytes."""

import re
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator

from poller.configuration.model.fields import Also

UNITS = {
    "": 1,
    "b": 1,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")
_PATTERN = r"^\s*\d+(\.\d+)?\s*(([KkMmGg][Ii]?)?[Bb])?\s*$"
"""The pattern of a size for the JSON Schema."""


def parse_size(value: object) -> int:
    """Bytes. Raises ValueError for anything that is not a size."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None or found[2].lower() not in UNITS:
        raise ValueError("must be a size: a number of bytes, or one with a unit (B, KiB, MiB, GiB, kB, MB, GB)")
    return int(Fraction(found[1]) * UNITS[found[2].lower()])


Size = Annotated[int, BeforeValidator(parse_size), Also(type="string", pattern=_PATTERN)]
