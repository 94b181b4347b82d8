"""What the action log calls an order, and what it says of how far that came."""

from typing import Any

import pytest

from poller.policy.action_words import ENDED, LONGEST_SECONDS, SILENT_SECONDS, ending, noted, progress, title
from poller.policy.actions import Action, Order, Peek, Redrive, Retry, Seek, Stage
from poller.policy.redriving import Redriven, State
from poller.policy.seeking import Target

NOW = 10_000.0
CARRIED_OUT = "begun: it is being carried out, or the daemon ended meanwhile"


def action(what: str = "seek", number: int = 0, ago: float = 0.0, **values: Any) -> Action:
    return Action(f"a{number}", NOW - ago, "u", "clicks", what, "", **values)


def redriven(state: State = State.RUNNING, ago: float | None = 1.0, uuid: str = "u") -> Redriven:
    stored = None if ago is None else NOW - ago
    return Redriven("r", uuid, "clicks", "source", 0.0, 0.1, 6, state=state, stored=stored)


@pytest.mark.parametrize(
    ("order", "name", "said"),
    [
        (Redrive(), "redrive", "Redrive"),
        (Redrive(stop=True), "redrive_stop", "Stop the redrive"),
        (Redrive(resume=True), "redrive_resume", "Resume the redrive"),
        (Peek(), "peek", "Look"),
        (Retry(), "retry", "Retry"),
    ],
)
def test_an_order_is_called_as_the_button_that_gave_it(order: Order, name: str, said: str) -> None:
    assert (noted(order), title(noted(order))) == (name, said)


@pytest.mark.parametrize(("stage", "said"), [(Stage.DONE, "done"), (Stage.FAILED, "not done")])
def test_what_ended_says_how(stage: Stage, said: str) -> None:
    assert progress(action(stage=stage), [], [], NOW) == said


@pytest.mark.parametrize(("ago", "said"), [(LONGEST_SECONDS - 1, CARRIED_OUT), (LONGEST_SECONDS, ENDED)])
def test_only_what_began_long_ago_is_taken_for_cut_off(ago: float, said: str) -> None:
    assert progress(action(ago=ago), [], [redriven()], NOW) == said


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (redriven(), "begun; the redrive is running"),
        (redriven(ago=SILENT_SECONDS + 59), "begun; the redrive is running"),
        (redriven(ago=SILENT_SECONDS + 61), "begun; nothing is heard of the redrive"),
        (redriven(ago=None), "begun; nothing is heard of the redrive"),
        (redriven(State.STOPPED), "begun; the redrive is stopped"),
        (redriven(uuid="another"), ENDED),
    ],
)
@pytest.mark.parametrize("what", ["redrive", "redrive_resume"])
def test_a_redrive_runs_for_as_long_as_the_store_hears_of_it(what: str, found: Redriven, said: str) -> None:
    own = action(what, ago=LONGEST_SECONDS)
    log = [action("peek", 1), action("redrive_stop", 2), own]
    assert progress(own, log, [found], NOW).startswith(said)


def test_a_redrive_that_another_one_came_after_is_not_taken_for_the_one_that_runs() -> None:
    older, later = action("redrive", ago=LONGEST_SECONDS), action("redrive_resume", 1)
    assert progress(older, [later, older], [redriven()], NOW) == ENDED
    assert progress(later, [later, older], [redriven()], NOW) == "begun; the redrive is running"


@pytest.mark.parametrize(
    ("order", "stage", "result", "said"),
    [
        (Redrive(), Stage.DONE, {"state": "stopped"}, "stopped"),
        (Redrive(resume=True), Stage.BEGUN, {}, "still running"),
        (Redrive(stop=True), Stage.DONE, {}, "asked to stop"),
        (Redrive(stop=True), Stage.BEGUN, {}, "begun, and goes on"),
        (Seek(Target("LATEST")), Stage.DONE, {}, "done"),
        (Seek(Target("LATEST")), Stage.BEGUN, {}, "begun, and goes on"),
    ],
)
def test_a_person_who_gave_an_order_reads_what_came_of_it(
    order: Order, stage: Stage, result: dict[str, Any], said: str
) -> None:
    assert ending(order, stage, result) == said
