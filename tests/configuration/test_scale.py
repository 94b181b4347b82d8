"""Thousands of mappings: the work grows with their number, and a report stays readable however much is wrong."""

import json
import sys

import pytest

from poller.values.errors import ConfigurationError, capped

pytestmark = pytest.mark.heavy

ARN = "arn:aws:sqs:eu-west-1:123456789012"


def mappings(count: int, line: str) -> str:
    """`line` once for each number from 0, as its {n}, behind ARN."""
    return "event_source_mappings:\n" + "".join(
        f"  - {{{line.replace('{n}', str(n)).replace('ARN', ARN)}}}\n" for n in range(count)
    )


def calls_to_load(bench, text: str) -> int:
    """How many calls it takes to load a configuration, or to refuse it."""
    path, calls = bench.write("poller.yaml", text), 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        bench.load(path)
    except ConfigurationError as error:
        error.shown()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("name: m{n}, event_source_arn: 'ARN:q{n}', function_name: f{n}", id="all valid"),
        pytest.param("event_source_arn: 'ARN:q', function_name: f", id="one, many times"),
        pytest.param("name: m, event_source_arn: 'ARN:q{n}', function_name: f", id="one name"),
        pytest.param("event_source_arn: 'ARN:q', function_name: f{n}", id="one queue"),
        pytest.param("event_source_arn: 'ARN:q', function_name: 'f:v{n}'", id="one function's versions"),
        pytest.param("event_source_arn: 'ARN:q{n}', function_name: f, aws: {region: r{n}}", id="many regions"),
        pytest.param("event_source_arn: 'ARN:q{n}', function_name: 'not a name {n}'", id="no function"),
        pytest.param("event_source_arn: 'ARN:q{n}', function_name: f, batch_syze: 1", id="an unknown key"),
    ],
)
def test_twice_the_mappings_take_twice_the_work(bench, line):
    calls_to_load(bench, mappings(10, line))
    few, many = (calls_to_load(bench, mappings(count, line)) for count in (200, 400))
    assert many < 2.5 * few


def test_a_report_of_thousands_of_problems_shows_the_first_and_counts_the_rest(bench):
    text = mappings(4000, "event_source_arn: 'ARN:orders', function_name: f")
    with pytest.raises(ConfigurationError) as caught:
        bench.text(text)
    shown = caught.value.shown()
    assert len(caught.value.problems) == 3999
    assert shown[0] == (
        "poller.yaml:3: event_source_mappings[1].function_name: feeds f from orders, as the mapping at poller.yaml:2 "
        "does; change or remove one"
    )
    assert shown[100:] == ["and 3,899 more"]
    assert caught.value.shown(3)[3:] == ["and 3,996 more"]
    assert len(str(caught.value)) < 20_000


def test_thousands_of_warnings_are_counted_too(bench):
    warnings = bench.text(mappings(1000, "event_source_arn: 'ARN:orders', function_name: f{n}")).warnings
    assert len(warnings) == 101
    assert warnings[-1] == "and 899 more"


def test_what_a_problem_repeats_of_a_file_is_cut(bench):
    with pytest.raises(ConfigurationError) as caught:
        bench.text(json.dumps({"x" * 1_000_000: 1, "functions": {"f": {"type": "y" * 1_000_000}}}), "poller.json")
    assert [len(line) <= 601 for line in caught.value.shown()] == [True, True]


def test_what_fits_is_not_capped():
    assert capped(["a", "b"], 2) == ["a", "b"]
    assert capped(["a", "b", "c"], 2) == ["a", "b", "and 1 more"]
    assert capped([], 2) == []
