"""What client commands still learn of `api` when the configuration cannot be loaded."""

from pathlib import Path

import pytest

from poller.configuration import read_api_leniently

MAPPING = """
event_source_mappings:
  - event_source_arn: arn:aws:sqs:eu-west-1:123456789012:orders
    function_name: f
"""
API = "api: {listen: '127.0.0.1:9000', token: secret}\n"


def leniently(bench, *paths: Path):
    return read_api_leniently(list(paths) or None, environ=bench.environ)


def test_of_a_valid_configuration_nothing_is_a_problem(bench):
    api, problems = leniently(bench, bench.write("poller.yaml", API + MAPPING))
    assert (api.listen, api.token.read(), problems) == ("127.0.0.1:9000", "secret", [])


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(API + MAPPING + "    batch_size: many\n", id="a bad value"),
        pytest.param(API + MAPPING + "    batch_syze: 1\n", id="an unknown key"),
        pytest.param(API + "event_source_mappings: [\n", id="bad syntax behind"),
        pytest.param("event_source_mappings: {]\n" + API + MAPPING, id="bad syntax before"),
        pytest.param('log: {level: "info\n' + API.replace("{", "\n  {"), id="an unclosed quote, over lines"),
        pytest.param("\tlog: info\n" + "Api:\n  # where\n\n  Listen: 127.0.0.1:9000\n  Token: secret\n", id="a tab"),
        pytest.param(API + "state: redis://x\n" + MAPPING, id="a bad setting"),
        pytest.param(API + "nonsense: 1\n" + MAPPING, id="an unknown setting"),
        pytest.param("api: {listen: '127.0.0.1:9000', token: secret, tokken: 1}\n", id="an unknown key of api"),
    ],
)
def test_a_broken_file_still_tells_where_its_daemon_listens(bench, broken):
    api, problems = leniently(bench, bench.write("poller.yaml", broken))
    assert (api.listen, api.token.read()) == ("127.0.0.1:9000", "secret")
    assert all(problem.startswith("poller.yaml") for problem in problems)
    assert problems


def test_a_token_that_cannot_be_read_leaves_the_address(bench):
    path = bench.write("poller.yaml", "api: {listen: '0.0.0.0:9000', token: {file: gone}}")
    api, problems = leniently(bench, path)
    assert (api.listen, api.token) == ("0.0.0.0:9000", None)
    assert len(problems) == 1


def test_what_the_environment_says_counts_whatever_the_file_is(bench):
    bench.environ["POLLER_API__LISTEN"] = "127.0.0.1:9001"
    bench.write("poller.yaml", "api: [\n")
    assert leniently(bench)[0].listen == "127.0.0.1:9001"


def test_a_broken_file_without_api_leaves_the_default_and_what_other_files_say(bench):
    broken = bench.write("b.yaml", "functions: [\n")
    assert leniently(bench, broken)[0].listen == "127.0.0.1:8642"
    assert leniently(bench, bench.write("a.yaml", API), broken)[0].listen == "127.0.0.1:9000"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("poller.yaml", "api: [\n"),
        ("poller.yaml", "api: 5\n"),
        ("poller.yaml", "api: {listen: nowhere}\n"),
        ("poller.yaml", "api: {listen: {env: NOT_SET}}\n"),
        ("poller.yaml", "{api: {listen: '127.0.0.1:9000'}, functions: [}\n"),
        ("poller.json", '{"api": {"listen": "127.0.0.1:9000"},}'),
        ("poller.toml", "[api]\nlisten = '127.0.0.1:9000'\n[log\n"),
    ],
)
def test_an_address_that_cannot_be_read_is_not_guessed(bench, name, text):
    api, problems = leniently(bench, bench.write(name, text))
    assert api is None
    assert problems


def test_a_file_that_is_not_there_may_have_said_anything(bench):
    api, problems = leniently(bench, Path("gone.yaml"))
    assert api is None
    assert problems == ["gone.yaml: cannot be read (No such file or directory)"]
