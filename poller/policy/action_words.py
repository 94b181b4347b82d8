"""The words in which the action log says what was ordered, and how far that came. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from poller.policy.actions import Action, Order, Redrive, Stage, what_of
from poller.policy.redriving import Redriven, State

STOP, RESUME = "redrive_stop", "redrive_resume"
REDRIVES = ("redrive", RESUME)
"""Orders that last for as long as a redrive runs."""
TITLES = {
    "handover": "Hand over once",
    "peek": "Look",
    "rerun": "Run again once",
    STOP: "Stop the redrive",
    RESUME: "Resume the redrive",
    "undo": "Undo the seek",
}
"""As the page's buttons have them, where the name of an order does not say it."""
LONGEST_SECONDS = 20 * 60.0
"""For which an order may be carried out that is no redrive: it waits for invocations, of 15 minutes at most, and for
the other members of a fleet.
"""
SILENT_SECONDS = 3 * 60.0
"""A redrive that runs stores something more often, unless an invocation takes longer or its rate is low."""
ENDED = "begun; the daemon ended before it was known whether it was done"


def noted(order: Order) -> str:
    """The name of an order in the log; the stop and the resume of a redrive have their own."""
    if isinstance(order, Redrive) and (order.stop or order.resume):
        return STOP if order.stop else RESUME
    return what_of(order)


def title(what: str) -> str:
    """The order of an entry for people."""
    return TITLES.get(what, what.capitalize())


def progress(action: Action, actions: Sequence[Action], redrives: Sequence[Redriven], now: float) -> str:
    """How far an action came. `actions` and `redrives` have the latest first, `now` is epoch seconds."""
    if action.stage is not Stage.BEGUN:
        return "done" if action.stage is Stage.DONE else "not done"
    if action.what in REDRIVES:
        last = next((one for one in actions if one.uuid == action.uuid and one.what in REDRIVES), action)
        redriven = next((one for one in redrives if one.uuid == action.uuid), None)
        if redriven is not None and last.id == action.id:
            return _of_redrive(redriven, now)
    if now - action.at < LONGEST_SECONDS:
        return "begun: it is being carried out, or the daemon ended meanwhile"
    return ENDED


def ending(order: Order, stage: Stage, result: Mapping[str, Any]) -> str:
    """What came of an order that was given, in few words, for the person who gave it. `result` is what it found."""
    if isinstance(order, Redrive) and not order.stop:
        return str(result.get("state", "still running"))
    if stage is Stage.BEGUN:
        return "begun, and goes on"
    return "asked to stop" if isinstance(order, Redrive) else "done"


def _of_redrive(redriven: Redriven, now: float) -> str:
    if redriven.state is not State.RUNNING:
        return f"begun; the redrive is {redriven.state.value}"
    if redriven.stored is None or now - redriven.stored > SILENT_SECONDS + redriven.batch / redriven.rate:
        return "begun; nothing is heard of the redrive: its daemon ended, or one invocation takes long"
    return "begun; the redrive is running"
