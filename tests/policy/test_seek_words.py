"""What a person is told about a seek and its undoing."""

from typing import Any

import pytest

from poller.policy.actions import Action, Stage
from poller.policy.parts import PartState
from poller.policy.progress import LaneProgress, ShardProgress, StreamProgress
from poller.policy.seek_words import EITHER, Known, done, given_up, impact, undo_impact, undone
from poller.policy.seeking import Target

NOW = 1000.0
BACK = "That is back: what lies between the new position and the old one is delivered again."
FORWARD = "That is forward: what lies between the old position and the new one is not delivered."


def at(position: str | None, retry: Any = ()) -> ShardProgress:
    return ShardProgress((LaneProgress(position, retry),))


def told(target: Target, behind: dict[str, float | None] | None = None, orders: Any = (), **shards: Any) -> list[str]:
    stored = StreamProgress("orders", "arn", "epoch", 12.5, {name: one for name, one in shards.items() if one})
    return impact(stored, target, dict.fromkeys(shards, ShardProgress()), Known(NOW, behind or {}, orders))


def number(wanted: str) -> Target:
    return Target("AT_SEQUENCE_NUMBER", sequence_number=wanted, shard="a")


def order(what: str, when: float, stage: Stage = Stage.DONE, uuid: str = "u") -> Action:
    return Action(f"{what} {when}", when, uuid, "orders", what, "", stage=stage)


def test_a_person_reads_where_shards_were_read_up_to_and_what_is_given_up() -> None:
    said = told(number("4"), a=at("5", (PartState(1, "6", "6", 2),)))
    assert said[0] == "Running invocations end and are settled. Then a is read from sequence number 4."
    assert said[2:] == [
        "a was read up to 5.",
        "The attempts and the open windows of 1 lane are given up.",
        "Undoing the seek goes back to the present position.",
    ]
    assert "2 shards are read from the oldest record." in told(Target("TRIM_HORIZON"), a=None, b=at(None))[0]
    assert "from what comes from now on" in told(Target("LATEST"), a=None)[0]
    assert "from 1970-01-01T00:00:01.000Z" in told(Target("AT_TIMESTAMP", 1.0), a=None)[0]


@pytest.mark.parametrize(
    ("target", "behind", "said"),
    [
        (Target("TRIM_HORIZON"), {}, BACK),
        (Target("LATEST"), {}, FORWARD),
        (number("5"), {}, BACK),
        (number("6"), {}, FORWARD),
        (Target("AT_SEQUENCE_NUMBER"), {}, BACK),
        (Target("AT_TIMESTAMP", NOW - 60), {"a": 0.0}, BACK),
        (Target("AT_TIMESTAMP", NOW - 60), {"a": 300.0}, FORWARD),
        (Target("AT_TIMESTAMP", NOW - 60), {"a": 60.5}, EITHER),
        (Target("AT_TIMESTAMP", NOW - 60), {"a": None}, EITHER),
        (Target("AT_TIMESTAMP", NOW - 60), {}, EITHER),
    ],
)
def test_it_says_the_direction_where_that_is_known(target: Target, behind: dict[str, float | None], said: str) -> None:
    assert told(target, behind, a=at("5"))[1] == said


def test_shards_that_move_in_both_directions_are_counted_and_one_that_is_not_known_counts_for_both() -> None:
    both = told(Target("AT_TIMESTAMP", NOW - 60), {"a": 0.0, "b": 300.0, "c": 0.0}, a=at("5"), b=at("6"), c=at("7"))[1]
    assert both.startswith("That is back for 2 shards: ")
    assert "It is forward for 1 shard: " in both
    assert told(number("4"), a=at("5"), b=None)[1] == EITHER


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (Target("TRIM_HORIZON"), "2 orders, the last of them skip at 1970-01-01T00:15:50.000Z."),
        (Target("AT_TIMESTAMP", 940.0), "lie behind the new position: skip at 1970-01-01T00:15:50.000Z."),
        (Target("AT_TIMESTAMP", 960.0), None),
        (Target("LATEST"), None),
    ],
)
def test_it_warns_where_what_was_given_up_by_hand_comes_again(target: Target, said: str | None) -> None:
    orders = [order("skip", 950.0), order("isolate", 900.0)]
    found = [one for one in told(target, {"a": 0.0}, orders, a=at("5")) if "given up by hand" in one]
    assert [one.endswith(said or "-") for one in found] == [True] * (said is not None)


def test_only_what_gives_up_records_of_the_mapping_and_was_not_refused_counts() -> None:
    wanted = [order("skip", 5.0), order("isolate", 4.0, Stage.BEGUN)]
    others = [order("retry", 3.0), order("skip", 2.0, Stage.FAILED), order("skip", 1.0, uuid="another")]
    assert given_up([*wanted, *others], "u") == wanted


def test_a_person_reads_where_an_undo_leads() -> None:
    seek = Action("1", 500.0, "u", "orders", "seek", "", before={"a": at("5"), "b": None})
    assert undo_impact(seek, [])[2:] == ["a was read up to 5 then."]
    assert undo_impact(seek, [])[0].startswith("Running invocations end and are settled. Then 2 shards are read from")
    assert "skip at 1970-01-01T00:10:00.000Z" in undo_impact(seek, [order("skip", 600.0), order("skip", 400.0)])[2]


def test_what_was_done_is_said_as_done() -> None:
    shards = {"a": ShardProgress(), "b": ShardProgress()}
    assert done(Target("TRIM_HORIZON"), shards) == (
        "The position was moved: 2 shards are now read from the oldest record. It can be undone."
    )
    assert undone({"a": at("5")}).startswith("The position was moved back: a is read from where the last seek left off")
