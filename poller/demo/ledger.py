"""Reads the function's own ledger, in which it writes down its work on every order."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Ledger:
    """Counts of everything that the function wrote down."""

    shipped: Counter[int] = field(default_factory=Counter)
    """Successful receives by order."""
    failed: Counter[int] = field(default_factory=Counter)
    """Receives by order that the function failed, alone or with their batch."""
    batches: int = 0
    """Invocations."""
    crashed: int = 0
    """Invocations that raised."""

    def add(self, line: str) -> None:
        """Count the line of one invocation."""
        batch = json.loads(line)
        self.shipped.update(batch["shipped"])
        self.failed.update(batch["failed"])
        self.batches += 1
        self.crashed += batch["crashed"]


class Tail:
    """Reads a growing file, whole lines at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def lines(self) -> list[str]:
        """Return the lines that were completed since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._position)
            fresh = file.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._position += len(whole)
        return whole.decode().splitlines()
