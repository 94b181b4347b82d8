"""Partial batch responses, case by case; and that no answer at all can do worse than fail its batch."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.response import failed_identifiers

BATCH = ("a", "b", "c")
ALL_FAILED = None
NONE_FAILED: frozenset[str] = frozenset()


def naming(*entries):
    return json.dumps({"batchItemFailures": list(entries)}).encode()


@pytest.mark.parametrize(
    ("body", "failed"),
    [
        pytest.param(b"", NONE_FAILED, id="empty body"),
        pytest.param(b"null", NONE_FAILED, id="null"),
        pytest.param(b" null\n", NONE_FAILED, id="null with white space"),
        pytest.param(b'""', NONE_FAILED, id="empty JSON string"),
        pytest.param(b"{}", NONE_FAILED, id="empty object"),
        pytest.param(b"[]", NONE_FAILED, id="a list, not an object"),
        pytest.param(b"17", NONE_FAILED, id="a number"),
        pytest.param(b'{"statusCode": 200}', NONE_FAILED, id="an object without batchItemFailures"),
        pytest.param(b'{"batchItemFailures": null}', NONE_FAILED, id="batchItemFailures null"),
        pytest.param(naming(), NONE_FAILED, id="batchItemFailures empty"),
        pytest.param(naming({"itemIdentifier": "b"}), {"b"}, id="one named"),
        pytest.param(naming({"itemIdentifier": "b", "more": 1}), {"b"}, id="one named, with another member beside"),
        pytest.param(naming({"itemIdentifier": "b"}, {"itemIdentifier": "b"}), {"b"}, id="one named twice"),
        pytest.param(naming(*({"itemIdentifier": i} for i in "cab")), {"a", "b", "c"}, id="all named"),
        pytest.param(naming({"itemIdentifier": ""}), ALL_FAILED, id="identifier empty"),
        pytest.param(naming({"itemIdentifier": None}), ALL_FAILED, id="identifier null"),
        pytest.param(naming({"foo": "a"}), ALL_FAILED, id="another key"),
        pytest.param(naming({"foo": None}), ALL_FAILED, id="another key with null"),
        pytest.param(naming({}), ALL_FAILED, id="empty entry: the documents' reading, the safe one"),
        pytest.param(naming({"itemIdentifier": 123}), ALL_FAILED, id="a number instead of a string"),
        pytest.param(naming({"itemIdentifier": ["a"]}), ALL_FAILED, id="a list instead of a string"),
        pytest.param(naming({"itemIdentifier": "x"}), ALL_FAILED, id="not in the batch"),
        pytest.param(naming({"itemIdentifier": "a"}, {"itemIdentifier": "x"}), ALL_FAILED, id="one of two not in it"),
        pytest.param(naming("a"), ALL_FAILED, id="an entry that is no object"),
        pytest.param(b'{"batchItemFailures": {"itemIdentifier": "a"}}', ALL_FAILED, id="an object for the list"),
        pytest.param(b'{"batchItemFailures": "a"}', ALL_FAILED, id="a string for the list"),
        pytest.param(b'{"batchItemFailures": 0}', ALL_FAILED, id="a number for the list"),
        pytest.param(b"done", ALL_FAILED, id="not JSON"),
        pytest.param(b'{"batchItemFailures": [', ALL_FAILED, id="cut JSON"),
        pytest.param(b'{"a": "\xff"}', ALL_FAILED, id="not UTF-8"),
        pytest.param(b"[" * 200_000, ALL_FAILED, id="nested without end"),
        pytest.param(b'{"n": ' + b"9" * 10_000 + b"}", ALL_FAILED, id="a number of ten thousand digits"),
    ],
)
def test_an_answer_means(body, failed):
    assert failed_identifiers(body, BATCH) == failed


@given(st.sets(st.sampled_from(BATCH)))
def test_exactly_the_named_ones_failed(named):
    assert failed_identifiers(naming(*({"itemIdentifier": one} for one in named)), BATCH) == named


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "a", "x"]),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["batchItemFailures", "itemIdentifier", "k"]), inner)
    ),
)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_answer_gives_a_part_of_the_batch_or_all_of_it(body):
    failed = failed_identifiers(body, BATCH)
    assert failed is None or failed <= set(BATCH)
