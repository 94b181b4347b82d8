"""Promises over random events and patterns, and the comparison with the spelt-out definition."""

import json

from hypothesis import assume, given
from hypothesis import strategies as st

from poller.policy.filtering import compile_filters
from tests.policy.filtering import engine
from tests.policy.filtering.kinds import SQS_RECORDS
from tests.policy.filtering.strategies import EVENTS, NAMES, PATTERNS, SCALARS, objects


def passes(patterns, event):
    return bool(compile_filters([{"body": pattern} for pattern in patterns], SQS_RECORDS).match({}, json.dumps(event)))


def pattern_of(value):
    """A pattern that names every leaf of an event without arrays."""
    return {name: pattern_of(inner) if isinstance(inner, dict) else [inner] for name, inner in value.items()}


TREES = st.recursive(
    objects(SCALARS, min_size=1, max_size=3),
    lambda inner: objects(st.one_of(SCALARS, inner), min_size=1, max_size=3),
    max_leaves=8,
)


@given(PATTERNS, EVENTS)
def test_matches_exactly_what_the_definition_matches(pattern, event):
    assert passes([pattern], event) is engine.matches(pattern, event)


ABSENCES = st.sampled_from([[{"exists": True}], [{"exists": False}], [{"exists": False}, "x"], ["x"], ["y", "x"]])
SHORT = st.sampled_from(["x", "y", 5])
NESTED = st.recursive(
    SHORT, lambda inner: st.one_of(objects(inner, max_size=3), st.lists(inner, max_size=3)), max_leaves=8
)
FIELDS = objects(st.one_of(ABSENCES, objects(ABSENCES, min_size=1, max_size=3)), min_size=1, max_size=4)


@given(FIELDS, st.lists(FIELDS, min_size=2, max_size=2), st.booleans(), objects(NESTED))
def test_absence_among_arrays_is_as_defined(pattern, branches, with_or, event):
    pattern = {**pattern, "$or": branches} if with_or else pattern
    assert passes([pattern], event) is engine.matches(pattern, event)


@given(st.lists(ABSENCES, min_size=2, max_size=2), objects(NESTED, max_size=2))
def test_a_value_and_members_at_once_are_as_defined(conditions, event):
    pattern = {"a": conditions[0], "a.b": conditions[1]}
    assert passes([pattern], event) is engine.matches(pattern, event)


@given(TREES)
def test_a_pattern_made_from_an_event_matches_it(event):
    assert passes([pattern_of(event)], event)


@given(TREES, st.data())
def test_breaking_one_leaf_breaks_the_match(event, data):
    pattern = pattern_of(event)
    target, name = pattern, data.draw(st.sampled_from(sorted(pattern)))
    while isinstance(target[name], dict):
        target = target[name]
        name = data.draw(st.sampled_from(sorted(target)))
    target[name] = ["broken"]
    assert not passes([pattern], event)


@given(PATTERNS, PATTERNS, EVENTS)
def test_or_is_the_union_of_its_branches(one, other, event):
    union = passes([one], event) or passes([other], event)
    assert passes([{"$or": [one, other]}], event) is union
    assert passes([one, other], event) is union


def reversed_keys(value):
    if isinstance(value, dict):
        return {name: reversed_keys(value[name]) for name in reversed(value)}
    return [reversed_keys(inner) for inner in value] if isinstance(value, list) else value


def names_once(pattern, taken=frozenset()):
    """Whether no field stands both beside an `$or` and in it: there the order of the text decides, as in the engine."""
    own = {name for name in pattern if name != "$or"}
    return (
        not own & taken
        and all(names_once(branch, taken | own) for branch in pattern.get("$or", []))
        and all(names_once(inner) for inner in pattern.values() if isinstance(inner, dict))
    )


@given(PATTERNS, EVENTS)
def test_the_order_of_keys_never_matters(pattern, event):
    assume(names_once(pattern))
    assert passes([pattern], event) is passes([reversed_keys(pattern)], reversed_keys(event))


@given(NAMES, NAMES, SCALARS, EVENTS)
def test_names_joined_with_a_dot_are_nested_names(outer, inner, value, event):
    joined = {f"{outer}.{inner}": [value]}
    assert passes([joined], event) is passes([{outer: {inner: [value]}}], event)
    assert passes([joined], {f"{outer}.{inner}": value})
