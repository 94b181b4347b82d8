"""Files: formats, what makes one unusable, lines and paths in problems."""

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from poller.configuration.model.sizes import parse_size
from poller.configuration.reading.documents import FastLoader
from poller.functions.runtime_api.options import RuntimeOptions
from poller.functions.web.options import WebOptions
from poller.values.errors import ConfigurationError

pytestmark = pytest.mark.heavy

EXAMPLES = Path(__file__).parents[2] / "config"

GOOD = {
    "a.yaml": "event_source_mappings:\n  - {event_source_arn: 'arn:aws:sqs:eu-west-1:123456789012:q', function_name: f}\n",
    "a.json": '{"event_source_mappings":[{"event_source_arn":"arn:aws:sqs:eu-west-1:123456789012:q","function_name":"f"}]}',
    "a.toml": "[[event_source_mappings]]\nevent_source_arn='arn:aws:sqs:eu-west-1:123456789012:q'\nfunction_name='f'\n",
}


def test_the_three_formats_mean_the_same(bench):
    loaded = [bench.text(text, name).mappings for name, text in GOOD.items()]
    assert loaded[0] == loaded[1] == loaded[2]
    assert loaded[0][0].name == "q-f"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.yaml", "a: [1\nb: 2\n", "a.yaml:2: is not YAML: "),
        ("a.yaml", "a: 1\n\tb: 2\n", "a.yaml:2: is indented with a tab, which YAML does not allow; use spaces"),
        ("a.yaml", "a:\n\t- b\n", "a.yaml:2: is indented with a tab"),
        ("a.yaml", "a:\n  \tb: 2\n", "a.yaml:2: is indented with a tab"),
        ("a.yaml", "a: b\n\n\tc: d\n", "a.yaml:3: is indented with a tab"),
        ("a.yaml", "\tb: 2\n", "a.yaml:1: is indented with a tab"),
        ("a.yaml", "a: \x01\n", "a.yaml: is not YAML: "),
        ("a.yaml", "- a\n", "a.yaml:1: holds no keys"),
        ("a.yaml", "log: {}\n---\nlog: {}\n", "is not YAML: expected a single document"),
        ("a.yaml", "log:\n  level: info\n  level: debug\n", "a.yaml:3: log.level: is written twice, first in line 2"),
        ("a.yaml", "log:\n  1: info\n", "a.yaml:2: log: the key '1' is not text"),
        ("a.yaml", "log:\n  [a]: info\n", "a.yaml:2: log: the key 'a list or mapping' is not text"),
        ("a.yaml", "log:\n  level: 2026-13-45\n", "a.yaml:2: log.level: '2026-13-45' is not a valid timestamp"),
        ("a.yaml", "log: &log\n  level: *log\n", "holds an alias of something that contains it"),
        ("a.yaml", "log:\n  <<: 3\n", "a.yaml:2: is not YAML: "),
        ("a.yaml", "state: !Sub 'x'\n", "a.yaml:1: state: !Sub is a CloudFormation function"),
        ("a.yaml", "state: {Ref: X}\n", "a.yaml:1: state: Ref is a CloudFormation function"),
        ("a.yaml", "state: {Fn::Sub: X}\n", "a.yaml:1: state: Fn::Sub is a CloudFormation function"),
        ("a.yaml", "state: !!python/name:os.system x\n", "a.yaml:1: state: the YAML tag !!python/name:os.system"),
        ("a.yaml", "[" * 3000, "a.yaml: is nested too deeply"),
        (
            "a.json",
            '{"log": {\n"level": "info",\n"level": "debug"}}',
            "a.json:3: log.level: is written twice, first in line 2",
        ),
        ("a.json", '{"log":\n', "a.json:2: is not JSON: "),
        ("a.json", '{"shutdown_grace_seconds": NaN}', "a.json: is not JSON: NaN is no JSON number"),
        ("a.json", "[1]", "a.json:1: holds no keys"),
        ("a.json", '{"log":\n\t{\n\t"level": "x"}}', "a.json:3: log.level: is 'x'"),
        ("a.toml", "a = \n", "a.toml: is not TOML: "),
        ("a.toml", "[log]\nlevel = 'x'\n", "a.toml: log.level: is 'x'"),
        ("a.conf", "", "a.conf: is not named *.yaml, *.yml, *.toml, *.json"),
        ("a.yaml", "logs: {}\n", "a.yaml:1: logs: is not a known key; did you mean log?"),
        ("a.yaml", "xyzzy: {}\n", "a.yaml:1: xyzzy: is not a known key; known here: aws, state,"),
        ("a.yaml", "functions: [a]\n", "a.yaml:1: functions: must hold functions by their keys"),
        ("a.yaml", "event_source_mappings: {a: b}\n", "a.yaml:1: event_source_mappings: must be a list"),
        (
            "a.yaml",
            "event_source_mappings:\n  - a\n",
            "a.yaml:2: event_source_mappings[0]: must hold the keys of a mapping",
        ),
        ("a.yaml", "log: info\n", "a.yaml:1: log: must hold keys of its own"),
        ("a.yaml", "aws:\n  services:\n    sqs:\n      url: x\n", "a.yaml:4: aws.services.sqs.url: is not a known key"),
    ],
)
def test_an_unusable_file_is_one_readable_line(bench, name, text, expected):
    [problem] = bench.problems_of(text, name)
    assert expected in problem
    assert "\n" not in problem


def test_a_file_that_is_no_text_or_not_there_is_one_readable_line(bench):
    (bench.directory / "b.yaml").write_bytes(b"a: \xff\n")
    assert bench.problems("b.yaml", "c.yaml", "c.d") == [
        "b.yaml: is not UTF-8 text",
        "c.d: cannot be read (No such file or directory)",
        "c.yaml: cannot be read (No such file or directory)",
    ]


def test_aliases_of_aliases_do_not_eat_the_memory(bench):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    [problem] = bench.problems_of("\n".join(lines))
    assert "grows by more than 200000 values through its aliases" in problem


def test_a_large_file_without_aliases_is_read(bench):
    text = f"functions: {{f: {{type: runtime, code: ., command: [{', '.join(['x'] * 200_001)}]}}}}"
    assert len(RuntimeOptions.of(bench.text(text).functions["f"]).command) == 200_001


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "a: " + "[" * 100_000 + "]" * 100_000, "- " * 100_000, "{a: " * 100_000]
)
def test_nesting_of_any_depth_is_one_readable_line_and_no_crash(bench, text):
    assert bench.problems_of(text) == ["poller.yaml: is nested too deeply"]


def test_anchors_and_merge_keys_work_however_often_they_are_used(bench):
    text = """
functions:
  a: &a {type: http, url: "http://a/", concurrency: 3}
  b: &b {<<: *a, url: "http://b/"}
  c: *b
  d: {<<: *b, url: "http://d/"}
"""
    functions = bench.text(text).functions
    assert [(WebOptions.of(functions[key]).url, functions[key].concurrency) for key in "abcd"] == [
        ("http://a/", 3),
        ("http://b/", 3),
        ("http://b/", 3),
        ("http://d/", 3),
    ]


def test_all_problems_come_in_one_report_in_the_order_of_the_lines(bench):
    text = """log: {level: loud}
api: {listen: "0.0.0.0:80"}
functions:
  edge: {type: grpc}
event_source_mappings:
  - event_source_arn: !GetAtt Queue.Arn
    BatchSize: 0
  - event_source_arn: arn:aws:kafka:eu-west-1:123456789012:cluster/c
    function_name: fn
"""
    places = [problem.split(": ")[:2] for problem in bench.problems_of(text)]
    assert places == [
        ["poller.yaml:1", "log.level"],
        ["poller.yaml:2", "api.token"],
        ["poller.yaml:4", "functions.edge.type"],
        ["poller.yaml:6", "event_source_mappings[0].event_source_arn"],
        ["poller.yaml:6", "event_source_mappings[0].function_name"],
        ["poller.yaml:7", "event_source_mappings[0].BatchSize"],
        ["poller.yaml:8", "event_source_mappings[1].event_source_arn"],
    ]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (1024, 1024),
        ("1024", 1024),
        ("10 B", 10),
        ("512 MiB", 512 * 1024 * 1024),
        ("64MB", 64_000_000),
        ("2 kB", 2000),
        ("2KB", 2000),
        ("1.5 GiB", 1536 * 1024 * 1024),
        ("1 GB", 1_000_000_000),
        (" 3 KiB ", 3072),
        ("9" * 400 + " KiB", int("9" * 400) * 1024),
    ],
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1 TiB", "1,5 MiB", True, None, 1.5, [1]])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="must be a size"):
        parse_size(text)


def test_json_that_yaml_cannot_place_is_read_all_the_same(bench):
    """A key of more than 1,024 characters is none to YAML: the lines are lost, the meaning is not."""
    tags = '{"tags": {"%s": "x"}, "event_source_arn": "arn:aws:sqs:eu-west-1:123456789012:q", "function_name": "f"}'
    [mapping] = bench.text('{"event_source_mappings": [' + tags % ("k" * 1100) + "]}", "a.json").mappings
    assert list(mapping.tags) == ["k" * 1100]


KEYS = st.sampled_from(
    [
        "aws",
        "api",
        "log",
        "functions",
        "event_source_mappings",
        "services",
        "headers",
        "tags",
        "type",
        "url",
        "env",
        "file",
        "function_name",
        "event_source_arn",
        "listen",
        "token",
        "BatchSize",
        "filter_criteria",
        "metrics_config",
        "Ref",
        "x",
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["lambda", "http", "fn", "arn:aws:sqs:eu-west-1:123456789012:q", "http://x/"]),
)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)


@given(tree=st.dictionaries(KEYS, TREES, max_size=5))
@example(tree={"env": ""})
@example(tree={"file": "x"})
@example(tree={"Ref": "x"})
@settings(suppress_health_check=list(HealthCheck))
def test_whatever_is_written_loads_or_is_refused_in_whole_lines(bench, tree):
    path = bench.write("poller.yaml", yaml.safe_dump(tree, allow_unicode=True))
    try:
        problems = ["poller.yaml" for read in bench.load(path).sources if read == path]
    except ConfigurationError as error:
        problems = error.problems
    assert problems
    assert all(problem.startswith("poller.yaml") for problem in problems)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_fast_parser_and_the_one_that_explains_read_the_same(path):
    def shape(node: yaml.Node | None):
        if isinstance(node, yaml.MappingNode):
            return [(shape(key), shape(value)) for key, value in node.value]
        if isinstance(node, yaml.SequenceNode):
            return [shape(item) for item in node.value]
        assert isinstance(node, yaml.ScalarNode)
        return node.tag, node.value, node.start_mark.line, bool(node.style)

    text = path.read_text()
    fast, slow = (yaml.compose(text, Loader=loader) for loader in (FastLoader, yaml.SafeLoader))
    assert shape(fast) == shape(slow)
