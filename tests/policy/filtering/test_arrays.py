"""Arrays, nesting, absence and names with dots, as the engine treats them."""

import json

import pytest

from poller.policy.filtering import compile_filters
from tests.policy.filtering import engine
from tests.policy.filtering.kinds import SQS_RECORDS

EXISTS, ABSENT = [{"exists": True}], [{"exists": False}]
BOTH = {"d": {"a": EXISTS, "b": EXISTS}}
ANNA_JONES = {"employees": {"first": ["Anna"], "last": ["Jones"]}}
PEOPLE = [{"first": "John", "last": "Doe"}, {"first": "Anna", "last": "Smith"}, {"first": "Peter", "last": "Jones"}]
COLOUR = {"u": {"t": {"k": ["colour"], "v": ["blue"]}}}

CASES = {
    "any element of an array": ({"a": ["x"]}, {"a": ["y", "x"]}, True),
    "an array in an array": ({"a": ["x"]}, {"a": [["y"], [["x"]]]}, True),
    "an object in an array": ({"a": {"b": ["x"]}}, {"a": [{"b": "y"}, {"b": "x"}]}, True),
    "an object in nested arrays": ({"a": {"b": ["x"]}}, {"a": [[{"b": "y"}], [{"b": "x"}]]}, True),
    "both within one element": (BOTH, {"d": [{"a": 1}, {"b": 2}, {"a": 3, "b": 4}]}, True),
    "both, but in two elements": (BOTH, {"d": [{"a": 1}, {"b": 2}]}, False),
    "names of two people": (ANNA_JONES, {"employees": PEOPLE}, False),
    "names of two people in two rooms": (ANNA_JONES, {"employees": [PEOPLE[:2], PEOPLE[2:]]}, False),
    "names of one person": ({"employees": {"first": ["Anna"], "last": ["Smith"]}}, {"employees": PEOPLE}, True),
    "inner array, one element": (COLOUR, {"u": [{"t": [{"k": "colour", "v": "blue"}]}]}, True),
    "inner array, two elements": (COLOUR, {"u": [{"t": [{"k": "colour"}, {"v": "blue"}]}]}, False),
    "outer array, two elements": (COLOUR, {"u": [{"t": [{"k": "colour"}]}, {"t": [{"v": "blue"}]}]}, False),
    "plain values of two arrays are free": ({"a": ["x"], "b": ["y"]}, {"a": ["q", "x"], "b": ["y", "q"]}, True),
    "two arrays of objects are free": (
        {"a": {"p": [1]}, "b": {"q": [2]}},
        {"a": [{}, {"p": 1}], "b": [{"q": 2}]},
        True,
    ),
    "anything-but: some element differs": ({"a": [{"anything-but": "x"}]}, {"a": ["x", "y"]}, True),
    "no element": ({"a": EXISTS}, {"a": []}, False),
    "no field in an empty array": ({"a": {"b": ABSENT}}, {"a": []}, True),
    "an empty object is no value": ({"a": ABSENT}, {"a": {}}, True),
    "an object is no value": ({"a": ABSENT}, {"a": {"b": 1}}, True),
    "a value is no object": ({"a": {"b": ABSENT}}, {"a": 1}, True),
    "absent from the element an earlier field chose": (
        {"d": {"a": EXISTS, "b": ABSENT}},
        {"d": [{"a": 1}, {"b": 2}]},
        True,
    ),
    "absent, but every element has it": ({"d": {"a": EXISTS, "b": ABSENT}}, {"d": [{"a": 1, "b": 2}]}, False),
    "absent from all while none is chosen": ({"d": {"b": EXISTS, "a": ABSENT}}, {"d": [{"b": 1}, {"a": 2}]}, False),
    "absent from all, and it is": ({"d": {"b": EXISTS, "a": ABSENT}}, {"d": [{"b": 1}, {"c": 2}]}, True),
    "missing or a value: missing": ({"d": {"a": [{"exists": False}, 1], "b": [2]}}, {"d": [{"b": 2}]}, True),
    "missing or a value: the value": ({"d": {"a": [{"exists": False}, 1], "b": [2]}}, {"d": [{"a": 1, "b": 2}]}, True),
    "missing or a value: present, so chosen": (
        {"d": {"a": [{"exists": False}, 1], "b": [2]}},
        {"d": [{"b": 2}, {"a": 1}]},
        False,
    ),
    "missing or a value, in a nested array": (
        {"d": {"a": [{"exists": False}, 1], "b": [2]}},
        {"d": [[{"b": 2}], [{"a": 1, "b": 2}]]},
        True,
    ),
    "a value and members: the value beside the object": ({"a": ["x"], "a.b": ["y"]}, {"a": ["x", {"b": "y"}]}, True),
    "a value and members: two inner arrays": ({"a": ["x"], "a.b": ["y"]}, {"a": [["x"], {"b": "y"}]}, False),
    "a value and members: one inner array": ({"a": ["x"], "a.b": ["y"]}, {"a": [["x", {"b": "y"}]]}, True),
    "a value and members: no members": ({"a": ["x"], "a.b": ABSENT}, {"a": ["x", 5]}, True),
    "a value or members missing": ({"a": ABSENT, "a.b": ["y"]}, {"a": [{"b": "y"}]}, True),
    "a dot in the pattern's name": ({"a.b": ["x"]}, {"a": {"b": "x"}}, True),
    "a dot in the event's name": ({"a": {"b": ["x"]}}, {"a.b": "x"}, True),
    "dots in both, three deep": ({"a": {"b.c": ["x"]}}, {"a.b": {"c": "x"}}, True),
    "two names with dots": ({"a": {"b": [1], "c": [2]}}, {"a.b": 1, "a.c": 2}, True),
    "a dot beside the object itself": ({"a": {"b": [1], "c": [2]}}, {"a.b": 1, "a": {"c": 2}}, True),
    "a dot beside a plain value": ({"a": {"b": [1]}}, {"a": 5, "a.b": 1}, True),
    "a dot beside an array": ({"a": {"b": [1]}}, {"a": [{"b": 2}], "a.b": 1}, True),
    "one field in two spellings": ({"a": {"b": [1]}}, {"a": {"b": 2}, "a.b": 1}, True),
    "one field in two spellings, arrays": ({"a": {"b": [1]}}, {"a": {"b": [2]}, "a.b": [3, 1]}, True),
    "a dot that leads nowhere": ({"a": {"b": [1]}}, {"a.x": 1, "a.": 1, ".": 1}, False),
    "an empty name": ({"": [1]}, {"": 1}, True),
}


@pytest.mark.parametrize(("pattern", "event", "expected"), CASES.values(), ids=CASES)
def test_matches_like_the_engine(pattern, event, expected):
    assert bool(compile_filters([{"body": pattern}], SQS_RECORDS).match({}, json.dumps(event))) is expected


def test_hundreds_of_fields_are_judged_like_few():
    pattern = {f"f{number}": [1] for number in range(100)}
    event = dict.fromkeys(pattern, 1)
    criteria = compile_filters([{"body": {"x": pattern}}], SQS_RECORDS)
    assert criteria.match({}, json.dumps({"x": [{}, {"f1": 1}, event]}))
    for missing in ("f0", "f50", "f99"):
        less = {name: value for name, value in event.items() if name != missing}
        assert not criteria.match({}, json.dumps({"x": [less, {missing: 1}] * 2}))
        assert not criteria.match({}, json.dumps({"x": {**event, missing: 2}}))


def test_what_is_remembered_of_small_objects_is_bounded(monkeypatch):
    monkeypatch.setattr("poller.policy.filtering.tree._MOST_REMEMBERED", 2)
    branches = [{f"f{number}": {"b": [1]}} for number in range(20)]
    criteria = compile_filters([{"body": {"$or": branches}}], SQS_RECORDS)
    for number in range(20):
        assert criteria.match({}, json.dumps({f"f{number}": {"b": 1}}))
        assert criteria.match({}, json.dumps({f"f{number}.b": 1}))
        assert not criteria.match({}, json.dumps({f"f{number}.c": 1, "x": 1}))


@pytest.mark.parametrize(
    "event",
    [
        {"a": 1, "a.b": 1, "a.c": 2, "x.y": 5},
        {"a": [1], "a.b": 1, "a.c": 2},
        {"a": {"b": 3}, "a.b": 1, "a.c": 2, "a.b.d": 7},
        {"a.b": 1, "a.c": 2, "a": {"b": 1}, "z.z.z": 1},
        {"a.b.d": 1, "a.b": {"d": 2}, "a.c": [2, 3]},
        [{"a.b": 1, "a.c": 2}, {"a.b": 1, "a.c": 2}],
    ],
)
@pytest.mark.parametrize(
    "pattern", [{"a": {"b": [1], "c": [2]}}, {"a.b": [1], "a": {"c": [2]}}, {"a": {"b": {"d": [1]}}}, {"a": {"c": [2]}}]
)
def test_keys_with_dots_beside_values_in_their_way_are_as_defined(pattern, event):
    criteria = compile_filters([{"body": pattern}], SQS_RECORDS)
    assert bool(criteria.match({}, json.dumps(event))) is engine.matches({"body": pattern}, {"body": event})
