"""Where a configuration comes from, which value wins, what may not stand twice, and secrets."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from poller.configuration import Secret
from poller.configuration.reading import files
from poller.functions.web.options import WebOptions
from poller.values.arns import FunctionName
from poller.values.errors import ConfigurationError

ARN = "arn:aws:sqs:eu-west-1:123456789012:"
EXAMPLES = Path(__file__).parents[2] / "config"


def one_mapping(queue: str = "orders", function: str = "fn", **more: str) -> str:
    keys = "".join(f", {key}: {value}" for key, value in more.items())
    return f"event_source_mappings:\n  - {{event_source_arn: '{ARN}{queue}', function_name: '{function}'{keys}}}\n"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_loads_without_a_warning(bench, path):
    bench.environ |= dict.fromkeys(("POLLER_TOKEN", "ORDERS_TOKEN", "WEBHOOK_SECRET"), "secret")
    configuration = bench.load(path)
    assert configuration.mappings
    assert configuration.warnings == []


def test_loading_brings_in_nothing_heavy():
    code = "import sys, poller.configuration; print(sorted({'aiobotocore', 'botocore', 'aiohttp', 'rich'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_search_order_is_environment_then_here_then_the_system(bench):
    system = bench.directory / "etc"
    assert files.search({}, system) == []
    bench.write("etc/conf.d/a.yaml", "")
    assert files.search({}, system) == [system / "conf.d"]
    bench.write("etc/poller.yaml", "")
    assert files.search({}, system) == [system / "poller.yaml", system / "conf.d"]
    bench.write("poller.yaml", "")
    assert files.search({}, system) == [Path("poller.yaml")]
    assert files.search({"POLLER_CONFIG": "x"}, system) == [Path("x")]


def test_without_a_path_the_file_that_poller_config_names_is_read(bench):
    bench.environ["POLLER_CONFIG"] = str(bench.write("there.yaml", one_mapping()))
    configuration = bench.load()
    assert configuration.sources == [Path("there.yaml")]
    assert configuration.mappings[0].name == "orders-fn"


def test_of_a_directory_the_four_kinds_of_file_count_in_name_order(bench):
    bench.write("d/b.yml", one_mapping("b"))
    bench.write("d/a.json", '{"event_source_mappings": []}')
    bench.write("d/c.toml", "[log]\nlevel = 'debug'\n")
    bench.write("d/z.yaml", one_mapping("z"))
    bench.write("d/.hidden.yaml", "nonsense: 1")
    bench.write("d/..data/a.yaml", "nonsense: 1")
    bench.write("d/sub/a.yaml", "nonsense: 1")
    bench.write("d/notes.txt", "nonsense")
    configuration = bench.load("d")
    assert [path.name for path in configuration.sources] == ["a.json", "b.yml", "c.toml", "z.yaml"]
    assert [mapping.name for mapping in configuration.mappings] == ["b-fn", "z-fn"]
    assert configuration.settings.log.level == "debug"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"$schema": "poller.schema.json", "log": {"level": "debug"}}'),
        ("a.yaml", "$schema: poller.schema.json\nlog: {level: debug}\n"),
        ("a.toml", "'$schema' = 'poller.schema.json'\n[log]\nlevel = 'debug'\n"),
    ],
)
def test_the_key_by_which_editors_find_the_schema_is_ignored_at_the_top_level(bench, name, text):
    bench.write(name, text)
    assert bench.load(name).settings.log.level == "debug"
    bench.write("below.yaml", "log: {$schema: x}\n")
    with pytest.raises(ConfigurationError, match=r"log\.\$schema"):
        bench.load("below.yaml")


def test_nothing_to_do_is_a_warning(bench):
    (bench.directory / "empty").mkdir()
    assert bench.load("empty").warnings == [
        "empty: holds no *.yaml, *.yml, *.toml or *.json file",
        "no event source mapping is configured; nothing will be polled",
    ]
    assert bench.text("").warnings == ["no event source mapping is configured; nothing will be polled"]


def test_precedence_is_command_line_environment_dotenv_secrets_later_file_earlier_file_default(bench):
    level, wins = "shutdown_grace_seconds", []

    def winner() -> float:
        return bench.load("a.yaml", "b.yaml", overrides=overrides).settings.shutdown_grace_seconds

    overrides: dict = {}
    bench.write("a.yaml", "")
    bench.write("b.yaml", "")
    bench.environ["POLLER_SECRETS_DIR"] = str(bench.directory / "s")
    (bench.directory / "s").mkdir()
    steps = [
        lambda: None,
        lambda: bench.write("a.yaml", f"{level}: 1"),
        lambda: bench.write("b.yaml", f"{level}: 2"),
        lambda: bench.write("s/poller_shutdown_grace_seconds", "3\n"),
        lambda: bench.write(".env", "POLLER_SHUTDOWN_GRACE_SECONDS=4\n"),
        lambda: bench.environ.update(POLLER_SHUTDOWN_GRACE_SECONDS="5"),
        lambda: overrides.update({level: 6}),
    ]
    for step in steps:
        step()
        wins.append(winner())
    assert wins == [25, 1, 2, 3, 4, 5, 6]


def test_settings_merge_key_by_key(bench):
    bench.write("a.yaml", "aws: {region: r, profile: p, services: {sqs: {endpoint_url: 'http://a', region: s}}}")
    bench.write("b.yaml", "aws: {profile: q, services: {sqs: {endpoint_url: 'http://b'}}}")
    bench.environ["POLLER_AWS__SERVICES__LAMBDA__ENDPOINT_URL"] = "http://c"
    aws = bench.load("a.yaml", "b.yaml").settings.aws
    assert (aws.region, aws.profile) == ("r", "q")
    assert aws.for_service("sqs") == ("http://b", "s")
    assert aws.for_service("lambda") == ("http://c", "r")


def test_credentials_directory_is_a_secrets_directory(bench):
    bench.write("creds/POLLER_API__TOKEN", "abc\n")
    bench.write("creds/other", "x")
    bench.environ["CREDENTIALS_DIRECTORY"] = "creds"
    bench.environ["POLLER_API__LISTEN"] = "0.0.0.0:0"
    settings = bench.text("").settings
    assert settings.api.token is not None
    assert settings.api.token.read() == "abc"


def test_variables_that_are_no_settings_are_ignored(bench):
    bench.environ |= {"POLLER_PORT": "tcp://10.0.0.1:80", "POLLER_SERVICE_HOST": "10.0.0.1", "POLLER_FUNCTIONS": "x"}
    bench.environ["POLLER_AWS__REGOIN"] = "x"
    configuration = bench.text(one_mapping())
    assert configuration.warnings == ["environment variable POLLER_AWS__REGOIN is no setting and is ignored"]
    assert configuration.settings.aws.region is None


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("POLLER_LOG__LEVEL", "loud", "environment variable POLLER_LOG__LEVEL: log.level: is 'loud'; it must be"),
        ("POLLER_STATE", "mysql://x", "environment variable POLLER_STATE: state: is 'mysql://x'; it must be sqlite:"),
        ("POLLER_AWS", "nonsense", "environment variable POLLER_AWS: is not JSON"),
        ("POLLER_SHUTDOWN_GRACE_SECONDS", "inf", "shutdown_grace_seconds: is 'inf'; it must be a finite number"),
    ],
)
def test_a_bad_variable_is_named(bench, name, value, expected):
    bench.environ[name] = value
    [problem] = bench.problems_of("")
    assert expected in problem


def test_a_json_variable_sets_a_whole_group(bench):
    bench.environ["POLLER_AWS"] = '{"region": "r", "services": {"sqs": {"region": "s"}}}'
    assert bench.text("").settings.aws.for_service("sqs") == (None, "s")


def test_a_missing_secrets_directory_is_a_problem(bench):
    bench.environ["POLLER_SECRETS_DIR"] = "nowhere"
    [problem] = bench.problems_of("")
    assert problem.startswith("nowhere: the directory of secrets cannot be read")


def test_two_values_for_one_setting_in_a_directory_are_an_error_naming_both(bench):
    bench.write("d/a.yaml", "log: {level: info}\nstate: 'memory:'\n")
    bench.write("d/b.yaml", "log:\n  format: json\n  level: info\n")
    assert bench.problems("d") == ["d/b.yaml:3: log.level: is set already, at d/a.yaml:1; remove one"]


def test_a_file_read_twice_is_an_error(bench):
    bench.write("d/a.yaml", "")
    [problem] = bench.problems("d", "d/a.yaml")
    assert problem == "d/a.yaml: is read twice, by d and by d/a.yaml; name it once"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (one_mapping("a", name="x"), one_mapping("b", name="x"), "name: makes 'x' the mapping's name"),
        (
            one_mapping("a", uuid="7b5ac5a6-4b24-57bc-9284-904d93924577"),
            one_mapping("b", uuid="7B5AC5A6-4B24-57BC-9284-904D93924577"),
            "uuid: makes 7b5ac5a6-4b24-57bc-9284-904d93924577 the mapping's uuid",
        ),
        (one_mapping(name="x"), one_mapping(name="y"), "function_name: feeds fn from orders"),
        (
            one_mapping(name="x"),
            one_mapping(function="arn:aws:lambda:eu-west-1:123456789012:function:fn", name="y"),
            "function_name: feeds arn:aws:lambda:eu-west-1:123456789012:function:fn from orders",
        ),
        (
            "functions: {one: {type: http, url: 'http://x/'}}\n" + one_mapping(function="one", name="x"),
            "functions: {two: {type: http, url: 'http://x/'}}\n" + one_mapping(function="two", name="y"),
            "function_name: feeds two from orders",
        ),
    ],
)
def test_the_same_mapping_twice_is_an_error_naming_both(bench, first, second, expected):
    bench.write("a.yaml", first)
    bench.write("b.yaml", second)
    [problem] = bench.problems("a.yaml", "b.yaml")
    assert f"event_source_mappings[0].{expected}, as the mapping at a.yaml:" in problem
    assert problem.startswith("b.yaml:")


def test_other_qualifiers_accounts_and_endpoints_are_other_functions(bench):
    functions = ["fn", "fn:live", "fn:$LATEST", "fn:1"]
    functions += [f"arn:aws:lambda:eu-west-1:{account}:function:other" for account in ("123456789012", "210987654321")]
    text = "event_source_mappings:\n" + "".join(
        f"  - {{name: m{index}, event_source_arn: '{ARN}q', function_name: '{function}'}}\n"
        for index, function in enumerate(functions)
    )
    assert len(bench.text(text).mappings) == len(functions)


def test_a_function_defined_twice_is_an_error_naming_both(bench):
    bench.write("a.yaml", "functions:\n  f: {type: http, url: 'http://x/'}\n")
    bench.write("b.yaml", "functions:\n  f: {type: http, url: 'http://x/'}\n")
    assert bench.problems("a.yaml", "b.yaml") == [
        "b.yaml:2: functions.f: is defined already, at a.yaml:2; remove or rename one"
    ]


def test_functions_and_mappings_of_all_files_belong_together(bench):
    bench.write("a.yaml", one_mapping(function="f"))
    bench.write("b.yaml", "functions: {f: {type: http, url: 'http://x/'}}")
    [mapping] = bench.load("a.yaml", "b.yaml").mappings
    assert WebOptions.of(mapping.function).url == "http://x/"


def test_a_key_of_functions_comes_before_a_lambda_name(bench):
    functions = "functions: {thumbnails: {type: lambda, function_name: 'thumbnails:live'}}\n"
    [mapping] = bench.text(functions + one_mapping(function="thumbnails")).mappings
    assert mapping.function.name == FunctionName("thumbnails:live", "thumbnails", "live")
    assert mapping.name == "orders-thumbnails"


def test_a_name_that_is_no_function_s_points_to_the_key_it_resembles(bench):
    functions = "functions: {thumb.nails: {type: http, url: 'http://x/'}}\n"
    [problem] = bench.problems_of(functions + one_mapping(function="thumb.nail"))
    assert "nor a key of functions; did you mean thumb.nails, a key of functions?" in problem


def test_relative_paths_are_relative_to_their_file(bench):
    bench.write("d/token", "abc\n")
    bench.write("d/a.yaml", "state: sqlite:///state.db\napi: {listen: 'unix:api.sock', token: {file: token}}\n")
    settings = bench.load("d/a.yaml").settings
    assert settings.state == f"sqlite:///{bench.directory}/d/state.db"
    assert settings.api.socket == bench.directory / "d/api.sock"
    assert settings.api.token is not None
    assert settings.api.token.read() == "abc"


@pytest.mark.parametrize(
    ("environ", "state"),
    [
        ({"HOME": "/home/x"}, "sqlite:////home/x/.local/state/poller/state.db"),
        ({"STATE_DIRECTORY": "/var/lib/poller"}, "sqlite:////var/lib/poller/state.db"),
        ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, "sqlite:////var/lib/a/state.db"),
        ({"POLLER_STATE": "sqlite:////x/y.db"}, "sqlite:////x/y.db"),
        ({"POLLER_STATE": "memory:"}, "memory:"),
    ],
)
def test_state_defaults_to_the_unit_s_directory_then_the_user_s(bench, environ, state):
    bench.environ = environ
    assert bench.text("").settings.state == state


@pytest.mark.parametrize(
    "state", ["memory", "memory:x", "sqlite:", "sqlite:///", "sqlite://host/path", "redis://x", ""]
)
def test_a_state_that_is_no_store_is_refused(bench, state):
    [problem] = bench.problems_of(f"state: '{state}'")
    assert problem.startswith("poller.yaml:1: state: ")
    assert "must be sqlite:////absolute/path, sqlite:///relative/path, " in problem


def test_a_fleet_is_called_by_its_defaults_and_needs_a_state_that_daemons_can_share(bench):
    fleet = bench.text("state: sqlite:////x/y.db\nfleet: {}").settings.fleet
    assert (fleet.name, fleet.lease_seconds, fleet.rebalance_delay_seconds) == ("poller", 15, 30)
    assert fleet.member == socket.gethostname()
    assert bench.text("").settings.fleet is None
    [problem] = bench.problems_of("state: 'memory:'\nfleet: {name: orders}")
    assert "poller.yaml:2: fleet: needs a `state` that daemons can share, which memory: is not" in problem


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:8642", "[::1]:1", "127.8.8.8:80", "unix:/run/x.sock"])
def test_no_token_is_needed_where_only_this_machine_reaches(bench, listen):
    assert bench.text(f"api: {{listen: '{listen}'}}").settings.api.token is None


@pytest.mark.parametrize("listen", ["0.0.0.0:8642", "[::]:8642", "10.0.0.1:1", "example.com:80"])
def test_a_token_is_required_where_other_machines_reach(bench, listen):
    [problem] = bench.problems_of(f"api: {{listen: '{listen}'}}")
    assert f"api.token: is required to listen on {listen}" in problem
    assert bench.text(f"api: {{listen: '{listen}', token: x}}").settings.api.token == Secret.text("x")


@pytest.mark.parametrize("listen", ["8642", ":8642", "host", "host:x", "host:70000", "::1:80", "unix:"])
def test_a_listen_address_that_is_none_is_refused(bench, listen):
    [problem] = bench.problems_of(f"api: {{listen: '{listen}'}}")
    assert "poller.yaml:1: api.listen: " in problem


def test_an_empty_token_is_refused(bench):
    bench.environ["T"] = ""
    [problem] = bench.problems_of("api: {token: {env: T}}")
    assert "api.token" in problem


def test_a_secret_is_read_anew_and_never_shown(bench):
    path = bench.directory / "token"
    path.write_text("first\n")
    token = bench.text("api: {token: {file: token}}").settings.api.token
    assert token is not None
    assert token.read() == "first"
    path.write_text("second\r\n")
    assert token.read() == "second"
    assert "second" not in repr(token)
    path.unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        token.read()


def test_a_secret_s_rotation_is_no_change_of_the_configuration():
    assert Secret("env", "A", {"A": "1"}) == Secret("env", "A", {"A": "2"})
    assert hash(Secret("env", "A", {})) == hash(Secret("env", "A"))
    assert Secret("env", "A") != Secret("env", "B")
    assert repr(Secret.text("s3cret")) == "Secret(***)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("api: {token: {env: NOPE}}", "api.token: the environment variable NOPE is not set"),
        ("aws: {region: {file: nope}}", "aws.region: the file "),
        ("aws: {role_arn: {env: NOPE}}", "aws.role_arn: the environment variable NOPE is not set"),
    ],
)
def test_a_secret_that_is_not_there_is_one_problem(bench, text, expected):
    [problem] = bench.problems_of(text)
    assert f"poller.yaml:1: {expected}" in problem


def test_any_text_may_be_a_secret_and_a_wrong_one_is_not_shown(bench):
    bench.environ |= {"ARN": f"{ARN}orders", "BAD": "s3cret"}
    text = one_mapping().replace(f"'{ARN}orders'", "{env: ARN}")
    [mapping] = bench.text(text).mappings
    assert mapping.event_source_arn == f"{ARN}orders"
    problems = bench.problems_of("log: {level: {env: BAD}}\n" + text.replace("ARN", "BAD").replace("'fn'", "fn"))
    assert len(problems) == 2
    assert not any("s3cret" in problem for problem in problems)
    assert problems[0].endswith("log.level: holds a secret whose value does not fit here")


def test_a_dotenv_file_that_is_no_text_is_a_problem(bench):
    (bench.directory / ".env").write_bytes(b"POLLER_STATE=\xff\n")
    [problem] = bench.problems_of("")
    assert problem.startswith(".env: cannot be read")


def test_a_secret_file_that_is_no_text_is_a_problem(bench):
    (bench.directory / "token").write_bytes(b"\xff")
    [problem] = bench.problems_of("api: {token: {file: token}}")
    assert problem.endswith("token is not UTF-8 text")


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [("127.0.0.1:0", "127.0.0.1", 0), ("[::1]:8642", "::1", 8642), ("localhost:1", "localhost", 1)],
)
def test_a_listen_address_is_a_host_and_a_port(bench, listen, host, port):
    api = bench.text(f"api: {{listen: '{listen}'}}").settings.api
    assert (api.host, api.port, api.socket) == (host, port, None)


def test_a_mapping_s_endpoint_and_region_follow_its_aws_over_the_top_one(bench):
    text = "aws: {region: us-east-1}\n" + one_mapping()
    [mapping] = bench.text(text).mappings
    assert (mapping.endpoint_url, mapping.region) == (None, "eu-west-1")
    [mapping] = bench.text("aws: {region: us-east-1}\n" + one_mapping(aws="{endpoint_url: 'http://x:1/'}")).mappings
    assert (mapping.endpoint_url, mapping.region) == ("http://x:1", "us-east-1")
