"""A redrive: records that were given up, or that have passed, once more through the function. Pure.

Every record that a redrive has taken is in one bucket: done, failed again, gone (the source no longer has it), or left
(taken and not tried; the next part of the redrive takes it again).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from poller.policy.beside import From, Which
from poller.policy.response import Failed, NotInvoked, Outcome, Succeeded, TooLarge, failed_identifiers
from poller.values.texts import counted

MOST_FAILED = 1000
"""Identifiers of failed records that a redrive remembers, to pass over them when it is told to."""

MOST_KEYS = 100
"""Cursors within a partition that are kept."""


class State(StrEnum):
    """How far a redrive came."""

    RUNNING = "running"
    STOPPED = "stopped"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Redriven:
    """A redrive, and how far it came. What is stored after each batch, in one write."""

    id: str
    uuid: str
    mapping: str
    which: Which
    began: float
    """Epoch seconds. What was sent to a queue later is not its business."""
    rate: float
    """Most records per second."""
    batch: int
    """Most records of one invocation."""
    shard: str | None = None
    begin: float | None = None
    """Of a stream: the interval's first instant, epoch seconds; None for the oldest record."""
    end: float | None = None
    """The first instant that is not of the interval."""
    state: State = State.RUNNING
    why: str = ""
    """Why it stopped."""
    canary: bool = False
    """Whether a first record has passed alone."""
    done: int = 0
    failed: int = 0
    left: int = 0
    gone: int = 0
    cursors: dict[str, str] = field(default_factory=dict)
    """By partition: the last record of a stream that is dealt with."""
    over: tuple[str, ...] = ()
    """Partitions that are read to the end."""
    last: tuple[str, ...] = ()
    """Identifiers that were counted as done last: if a crash kept the queue from forgetting them, they are forgotten
    without another count."""
    failures: tuple[str, ...] = ()
    """Identifiers of records that failed again."""
    passing_over: bool = False
    """Whether records that failed again are passed over from now on."""
    asked_batch: int | None = None
    """The most records of one invocation that a person asked for; None where nobody did."""
    stored: float | None = None
    """When it was stored last, epoch seconds; None before."""

    @property
    def taken(self) -> int:
        """Records that it has taken."""
        return self.done + self.failed + self.left + self.gone

    @property
    def words(self) -> str:
        """How far it came, in a sentence."""
        why = f": {self.why}" if self.why else ""
        counts = [f"{self.done:,} done"]
        if self.failed:
            stays = "stays where it was" if self.failed == 1 else "stay where they were"
            counts.append(f"{self.failed:,} failed again and {stays}")
        if self.left:
            counts.append(f"{self.left:,} not tried, which a resume takes again")
        if self.gone:
            counts.append(f"{self.gone:,} gone from the stream")
        behind = "; what lies behind is not taken yet" if self.state is State.STOPPED else ""
        return f"{self.state.value}{why}; {counted(self.taken, 'record')} taken: {', '.join(counts)}{behind}"

    def begin_of(self, partition: str) -> From:
        """Where it goes on."""
        cursor = self.cursors.get(partition)
        if cursor:
            return From.behind(cursor)
        return From() if self.begin is None else From("AT_TIMESTAMP", timestamp=self.begin)

    def at(self, partition: str, key: str, position: str) -> dict[str, str]:
        """The cursors with this one. Of the keys within a partition the latest are kept: the others are forgotten at
        their source.
        """
        cursors = {name: value for name, value in self.cursors.items() if name != key} | {key: position}
        if key != partition:
            for old in [*cursors][:-MOST_KEYS]:
                del cursors[old]
        return cursors

    def written(self) -> str:
        """JSON."""
        return json.dumps(asdict(self))

    def resumed(self, *, passing_over: bool) -> "Redriven":
        """Going on: what was left is taken again, and so is what failed, unless it is passed over."""
        again = self if passing_over else replace(self, failed=0, failures=())
        return replace(again, state=State.RUNNING, why="", left=0, canary=False, passing_over=passing_over)


def batch_of(asked: int | None, most: int, rate: float) -> int:
    """The most records of one invocation: what a person asked for, else what the rate allows in one second. `most` is
    the mapping's batch size.
    """
    return min(most, max(1, int(rate)) if asked is None else asked)


def read(text: str) -> Redriven:
    """What `Redriven.written` wrote. Raises ValueError, TypeError and KeyError for anything else."""
    row: dict[str, Any] = json.loads(text)
    known = {one.name for one in fields(Redriven)}
    row = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items() if name in known}
    return Redriven(**row | {"state": State(row["state"])})


@dataclass(frozen=True, slots=True)
class Leave:
    """The leave to redrive a mapping, one for all daemons that share a store. The run that wrote it last has it."""

    run: str
    redrive: str
    """Id of the redrive that the run is of."""
    stop: bool = False
    """Whether a person wants the run to stop, who may have asked another daemon."""

    def written(self) -> str:
        """JSON."""
        return json.dumps(asdict(self))


def read_leave(text: str) -> Leave:
    """What `Leave.written` wrote. Raises ValueError, TypeError and KeyError for anything else."""
    row = json.loads(text)
    return Leave(str(row["run"]), str(row["redrive"]), bool(row["stop"]))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an invocation means for the records of its batch, by their index."""

    done: int = 0
    """So many from the front, or of a queue `done_of`."""
    failed: tuple[int, ...] = ()
    split: bool = False
    """Whether the batch was too large, and is to be tried in two halves."""
    why: str = ""
    """Why it stops; empty where all are done."""

    def done_of(self, count: int, *, ordered: bool) -> list[int]:
        """The indexes that are done, of so many records. In order, nothing behind the first failure is."""
        if ordered or not self.failed:
            return list(range(self.done))
        return [index for index in range(count) if index not in self.failed]


def verdict(identifiers: Sequence[str], outcome: Outcome, *, partial: bool) -> Verdict:
    """Judge an invocation. `partial` says whether the mapping has ReportBatchItemFailures."""
    count = len(identifiers)
    if isinstance(outcome, NotInvoked):
        return Verdict(why=f"the function was not invoked: {outcome.code} {outcome.detail}".strip())
    if isinstance(outcome, TooLarge):
        if count > 1:
            return Verdict(split=True)
        return Verdict(failed=(0,), why=f"a record is too large: {outcome.detail}")
    if isinstance(outcome, Failed):
        if count > 1:
            # down to the record at fault
            return Verdict(split=True)
        return Verdict(failed=tuple(range(count)), why=f"{outcome.error} {outcome.detail}".strip())
    assert isinstance(outcome, Succeeded)
    named = failed_identifiers(outcome.body, set(identifiers)) if partial else frozenset()
    if named is None:
        return Verdict(failed=tuple(range(count)), why="the partial batch response is invalid")
    failed = tuple(index for index, identifier in enumerate(identifiers) if identifier in named)
    if failed:
        return Verdict(failed[0], failed, why="the function named records as failed")
    return Verdict(count)
