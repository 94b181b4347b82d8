"""Orders about batches that a member of a fleet passes on to the others, and what they answer. Pure.

A batch waits on one member, and a person may have asked any of them. What goes between members is JSON, and the other
one may run another version: whatever is not understood is a `ValueError`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from poller.policy.actions import (
    Action,
    Asked,
    HandOver,
    Isolate,
    OfBatch,
    Retry,
    Skip,
    Stage,
    what_of,
)
from poller.policy.impacts import Batch, no_batch, too_many
from poller.values.texts import shortened

Passed = Retry | Skip | Isolate | HandOver
KINDS: Mapping[str, type[Passed]] = {"retry": Retry, "skip": Skip, "isolate": Isolate, "handover": HandOver}
MOST_LINES = 20
"""Sentences of an impact that go between members: they stand in a row that every member reads."""
LONGEST_LINE = 1000
"""Characters of each."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """An order on its way."""

    uuid: str
    order: Passed
    asked: Asked
    dry_run: bool

    def json(self) -> Json:
        """For `read_order`."""
        return {
            "uuid": self.uuid,
            "order": what_of(self.order),
            "given": asdict(self.order),
            "asked": asdict(self.asked),
            "dry_run": self.dry_run,
        }


def read_order(given: Any) -> Order:
    """What `Order.json` gave. Raises ValueError."""
    try:
        order = KINDS[given["order"]](**given["given"])
        return Order(str(given["uuid"]), order, Asked(**given["asked"]), bool(given["dry_run"]))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"the order is not understood: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Did:
    """What a member did, or would do."""

    impact: tuple[str, ...]
    batch: Batch | None = None
    action: Action | None = None
    """None for a preview."""

    def json(self) -> Json:
        """For `read_outcome`."""
        lines = [shortened(line, LONGEST_LINE) for line in self.impact[:MOST_LINES]]
        if len(self.impact) > MOST_LINES:
            lines.append(f"And {len(self.impact) - MOST_LINES:,} more batches.")
        action = self.action and {**asdict(self.action), "stage": self.action.stage.value}
        return {"impact": lines, "batch": self.batch and asdict(self.batch), "action": action}


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a member did nothing."""

    why: str
    held: tuple[Batch, ...] | None = None
    """Where it has no batch that is meant: those that wait there. None for every other reason."""

    def json(self) -> Json:
        """For `read_outcome`."""
        held = None if self.held is None else [asdict(one) for one in self.held[:MOST_LINES]]
        return {"refused": shortened(self.why, LONGEST_LINE), "held": held}


Outcome = Did | Refused


def read_outcome(given: Any) -> Outcome:
    """What `Did.json` or `Refused.json` gave. Raises ValueError."""
    try:
        if "refused" in given:
            held = given["held"]
            return Refused(str(given["refused"]), None if held is None else tuple(Batch(**one) for one in held))
        batch, action = given["batch"], given["action"]
        return Did(
            tuple(map(str, given["impact"])),
            None if batch is None else Batch(**batch),
            None if action is None else Action(**{**action, "stage": Stage(action["stage"])}),
        )
    except (TypeError, KeyError) as error:
        raise ValueError(f"the answer is not understood: {error!r}") from error


def names_one(order: OfBatch) -> bool:
    """Whether an order can only mean one batch of the whole fleet."""
    return order.partition is not None and order.lane is not None


def all_of(order: Passed, outcomes: Sequence[Outcome], silent: Sequence[str]) -> Outcome:
    """What became of an order that every member carries out for its own batches. `silent` are the names of members that
    gave no answer.
    """
    did = [one for one in outcomes if isinstance(one, Did)]
    if not did:
        return nobody(order, outcomes, silent)
    impact = [line for one in did for line in one.impact]
    if silent:
        impact.append(f"{without_answer(silent)}; what waits there may be tried or not.")
    alone = did[0].batch if len(did) == 1 else None
    return Did(tuple(impact), alone, did[0].action)


def nobody(order: OfBatch, outcomes: Sequence[Outcome], silent: Sequence[str]) -> Refused:
    """Why no member does it: a reason about the batch itself says more than that it waits elsewhere."""
    refused = [one for one in outcomes if isinstance(one, Refused)]
    about = next((one for one in refused if one.held is None), None)
    held = [batch for one in refused for batch in one.held or ()]
    if about is not None:
        found = about
    elif held:
        found = Refused(no_batch(order, held), tuple(held))
    else:
        found = refused[0]
    return Refused(f"{found.why}; {without_answer(silent)}", found.held) if silent else found


def several(found: Sequence[Did]) -> Refused:
    """Why it is not clear which batch is meant, where several members have one."""
    return Refused(too_many([one.batch for one in found if one.batch is not None]))


def without_answer(names: Sequence[str]) -> str:
    """That these members gave no answer."""
    return f"{', '.join(names)} did not answer in time"
