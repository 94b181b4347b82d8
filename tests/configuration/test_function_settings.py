"""Functions: types, defaults, names, endpoints, and what belongs to which type."""

import pytest

from poller.configuration import AwsSettings, FunctionConfig
from poller.functions.lambda_api.options import LambdaOptions
from poller.functions.web.options import SigV4, WebOptions
from poller.values.arns import parse_function_name

MIB = 1024 * 1024
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders"


def functions_text(entry: str, key: str = "fn") -> str:
    return f"functions:\n  {key}: {entry}\n"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{type: lambda, function_name: f}", (900, None, False, 6 * MIB)),
        ("{type: http, url: 'http://x/'}", (30, 10, False, 6 * MIB)),
        (
            "{type: http, url: 'http://x/', max_payload_bytes: 1 MiB, concurrency: 2, timeout_seconds: 5}",
            (5, 2, False, MIB),
        ),
        ("{type: lambda, function_name: function, endpoint_url: 'http://x'}", (900, 1, True, 6 * MIB)),
        ("{type: lambda, function_name: function, endpoint_url: 'http://x', rie: false}", (900, None, False, 6 * MIB)),
        (
            "{type: lambda, function_name: f, endpoint_url: 'http://x', rie: true, concurrency: 4}",
            (900, 4, True, 6 * MIB),
        ),
        ("{type: lambda, function_name: function}", (900, None, False, 6 * MIB)),
        ("{type: lambda, function_name: f, invocation_type: Event}", (30, None, False, MIB)),
        (f"{{type: step_functions, state_machine_arn: '{MACHINE}:live'}}", (300, None, False, 262_144)),
    ],
)
def test_defaults_follow_the_type(bench, entry, expected):
    function = bench.text(functions_text(entry)).functions["fn"]
    rie = isinstance(function.options, LambdaOptions) and function.options.rie
    assert (function.timeout_seconds, function.concurrency, rie, function.payload_limit) == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{type: function_url, url: 'https://x/'}", "functions.fn.url: names no region to sign for"),
        (
            "{type: function_url, url: 'https://x/', auth: basic}",
            "functions.fn.auth: is 'BASIC'; it must be 'AWS_IAM' or",
        ),
        (
            "{type: function_url, url: 'https://a.lambda-url.eu-west-1.on.aws/', headers: {authorization: x}}",
            "functions.fn.headers.authorization: is set by how requests are authorized",
        ),
        (
            "{type: http, url: 'http://x/', bearer_token: a, basic_auth: {username: u, password: p}}",
            "functions.fn.basic_auth: sets the Authorization header, as bearer_token does",
        ),
        (
            "{type: http, url: 'http://x/', bearer_token: a, headers: {Authorization: b}}",
            "headers.Authorization: is set by",
        ),
        ("{type: http, url: 'http://x/', hmac: {secret: ''}}", "functions.fn.hmac.secret: is empty"),
        ("{type: http, url: 'http://x/', hmac: {secret: s, algorithm: md5}}", "functions.fn.hmac.algorithm: is 'md5'"),
        (
            "{type: http, url: 'http://x/', hmac: {secret: s, header: 'a b'}}",
            "functions.fn.hmac.header: is 'a b'; it must",
        ),
        ("{type: http, url: 'http://x/', sigv4: {service: execute-api}}", "functions.fn.sigv4.region: is missing"),
        (
            "{type: http, url: 'http://x/', hmac: {secret: s}, sigv4: {service: a, region: r}}",
            "functions.fn.sigv4: signs the request already",
        ),
        ("{type: http, url: 'http://x/', ca_bundle: poller.yaml}", "functions.fn.ca_bundle: needs an https URL"),
        (
            "{type: http, url: 'https://x/', client_key: poller.yaml}",
            "functions.fn.client_key: needs client_certificate",
        ),
        ("{type: http, url: 'https://x/', ca_bundle: gone.pem}", "functions.fn.ca_bundle: 'gone.pem' is no file"),
        ("{type: step_functions}", "functions.fn.state_machine_arn: is missing"),
        ("{type: step_functions, state_machine_arn: orders}", "it must be the ARN of a state machine"),
        (f"{{type: step_functions, state_machine_arn: '{MACHINE}', timeout_seconds: 301}}", "it must be at most 300"),
        ("{type: grpc}", "functions.fn.type: is 'grpc'; it can be lambda, "),
        ("{type: [http]}", "functions.fn.type: is ['http']; it can be lambda, "),
        ("{url: 'http://x/'}", "functions.fn.type: is missing; it can be lambda, "),
        ("thumbnails", "functions.fn: must hold the keys of a function"),
        ("{type: lambda}", "functions.fn.function_name: is missing"),
        ("{type: http}", "functions.fn.url: is missing"),
        ("{type: http, url: 'ftp://x/'}", "functions.fn.url: is 'ftp://x/'; it must be a URL"),
        ("{type: http, url: 'http://x:99999/'}", "it must be a URL"),
        ("{type: http, url: 'http://x/', rie: true}", "functions.fn.rie: is for functions of type lambda"),
        (
            "{type: lambda, function_name: f, headers: {a: b}}",
            "functions.fn.headers: is for functions of type function_url or http",
        ),
        (
            "{type: lambda, function_name: f, invocation_type: DryRun}",
            "functions.fn.invocation_type: is 'DryRun'; it must be 'RequestResponse' or 'Event'",
        ),
        (
            "{type: lambda, function_name: f, invocation_type: Event, log_type: Tail}",
            "functions.fn.log_type: Tail needs",
        ),
        (
            "{type: lambda, function_name: function, endpoint_url: 'http://x', invocation_type: Event}",
            "functions.fn.invocation_type: Event is not supported by the Runtime Interface Emulator",
        ),
        ("{type: lambda, function_name: 'a b'}", "functions.fn.function_name: is neither a function's name"),
        ("{type: lambda, function_name: f, rie: true}", "functions.fn.rie: needs an endpoint_url"),
        ("{type: lambda, function_name: f, timeout_seconds: 901}", "it must be at most 900"),
        ("{type: lambda, function_name: f, timeout_seconds: 0}", "it must be more than 0"),
        ("{type: lambda, function_name: f, timeout_seconds: .nan}", "is nan; it must be a finite number"),
        ("{type: lambda, function_name: f, concurrency: 0}", "it must be at least 1"),
        ("{type: lambda, function_name: f, handler: a.b}", "functions.fn.handler: is for functions of type runtime"),
        ("{type: lambda, function_name: f, handlr: a.b}", "functions.fn.handlr: is not a known key"),
        (
            "{type: http, url: 'http://x/', headers: {'a b': c}}",
            "functions.fn.headers.a b: is no name for an HTTP header",
        ),
        ("{type: http, url: 'http://x/', headers: {Content-Length: '3'}}", "is set by the connection itself"),
        ('{type: http, url: "http://x/", headers: {a: "b\\nc"}}', "functions.fn.headers.a: holds a line end"),
        ("{type: http, url: 'http://x/', headers: {a: 3}}", "functions.fn.headers.a: is no secret: it must be text"),
    ],
)
def test_what_a_function_may_not_say_is_refused_with_its_reason(bench, entry, expected):
    [problem] = bench.problems_of(functions_text(entry))
    assert expected in problem
    assert problem.startswith("poller.yaml:2: functions.fn")


def test_a_function_s_key_must_do_as_a_name(bench):
    [problem] = bench.problems_of(functions_text("{type: http, url: 'http://x/'}", key="'a b'"))
    assert "functions.a b: is no name for a function" in problem


def test_header_names_are_data_and_their_values_secrets_or_text(bench):
    bench.environ["KEY"] = "s3cret"
    text = functions_text("{type: http, url: 'http://x/', headers: {BatchSize: a, env: b, X-Key: {env: KEY}}}")
    headers = WebOptions.of(bench.text(text).functions["fn"]).headers
    assert {name: value.read() for name, value in headers.items()} == {"BatchSize": "a", "env": "b", "X-Key": "s3cret"}
    assert "s3cret" not in repr(headers)


@pytest.mark.parametrize(
    ("written", "expected", "unqualified"),
    [
        ("fn", ("fn", None, None, None), "fn"),
        ("my-fn-1:live", ("my-fn-1", "live", None, None), "my-fn-1"),
        ("fn:$LATEST", ("fn", "$LATEST", None, None), "fn"),
        ("123456789012:function:fn", ("fn", None, "123456789012", None), "123456789012:function:fn"),
        ("123456789012:function:fn:3", ("fn", "3", "123456789012", None), "123456789012:function:fn"),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:fn:3",
            ("fn", "3", "123456789012", "eu-west-1"),
            "arn:aws:lambda:eu-west-1:123456789012:function:fn",
        ),
    ],
)
def test_every_form_of_a_function_s_name_is_taken_apart(written, expected, unqualified):
    parsed = parse_function_name(written)
    assert (parsed.name, parsed.qualifier, parsed.account, parsed.region) == expected
    assert parsed.unqualified == unqualified


def test_a_function_s_own_endpoint_wins_and_its_aws_goes_over_the_top_one_key_by_key(bench):
    text = """
aws: {region: eu-west-1, endpoint_url: "http://top", services: {lambda: {endpoint_url: "http://service", region: r}}}
functions:
  own: {type: lambda, function_name: a, endpoint_url: "http://own"}
  over: {type: lambda, function_name: b, aws: {region: us-east-1, services: {lambda: {region: s}}}}
"""
    functions = bench.text(text).functions
    assert functions["own"].aws.for_service("lambda") == ("http://own", "r")
    assert functions["over"].aws.for_service("lambda") == ("http://service", "s")
    assert functions["over"].aws.for_service("sqs") == ("http://top", "us-east-1")


@pytest.mark.parametrize(
    ("aws", "region"),
    [
        (AwsSettings(), "eu-west-1"),
        (AwsSettings(region="us-east-1"), "eu-west-1"),
        (AwsSettings(region="us-east-1", endpoint_url="http://x"), "us-east-1"),
        (AwsSettings(endpoint_url="http://x"), "eu-west-1"),
        (
            AwsSettings.model_validate({"services": {"lambda": {"endpoint_url": "http://x", "region": "local"}}}),
            "local",
        ),
    ],
)
def test_the_region_is_the_arn_s_and_with_an_endpoint_the_configured_one(aws, region):
    name = "arn:aws:lambda:eu-west-1:123456789012:function:fn"
    assert FunctionConfig(key="k", type="lambda", options=LambdaOptions(function_name=name), aws=aws).region == region


def test_equal_aws_settings_share_a_key_however_they_came_about():
    top = AwsSettings(region="a", profile="p")
    merged = AwsSettings(region="a").merged_over(AwsSettings(region="b", profile="p"))
    assert merged == top
    assert hash(merged) == hash(top)
    assert merged.key() == top.key()
    assert AwsSettings(region="c") != top


def test_one_name_at_two_endpoints_is_two_functions_and_shared_otherwise(bench):
    arn = "arn:aws:sqs:eu-west-1:123456789012:"
    text = f"""
event_source_mappings:
  - {{event_source_arn: "{arn}a", function_name: fn}}
  - {{event_source_arn: "{arn}b", function_name: fn}}
  - {{event_source_arn: "{arn}c", function_name: fn, aws: {{endpoint_url: "http://elsewhere"}}}}
"""
    configuration = bench.text(text)
    first, second, third = configuration.mappings
    assert first.function is second.function
    assert third.function.endpoint_url == "http://elsewhere"
    assert set(configuration.functions) == {"fn", "fn (2)"}
    assert third.name == "c-fn"


def test_what_reads_the_answer_cannot_be_invoked_with_event(bench):
    text = (
        functions_text("{type: lambda, function_name: f, invocation_type: Event}")
        + """
event_source_mappings:
  - event_source_arn: arn:aws:sqs:eu-west-1:123456789012:q
    function_name: fn
    function_response_types: [ReportBatchItemFailures]
"""
    )
    [problem] = bench.problems_of(text)
    assert "event_source_mappings[0].function_response_types: reads the function's answer, and fn is" in problem


def test_a_function_url_is_signed_for_its_own_region_unless_it_wants_no_signature(bench):
    url = "https://abc.lambda-url.eu-west-3.on.aws/"
    signed = bench.text(functions_text(f"{{type: function_url, url: '{url}'}}")).functions["fn"]
    assert WebOptions.of(signed).sigv4 == SigV4(service="lambda", region="eu-west-3")
    assert (signed.timeout_seconds, signed.concurrency, signed.payload_limit) == (900, None, 6 * MIB)
    open_to_all = bench.text(functions_text(f"{{type: function_url, url: '{url}', auth: none}}")).functions["fn"]
    assert WebOptions.of(open_to_all).sigv4 is None
    elsewhere = "aws: {region: eu-west-1}\n" + functions_text("{type: function_url, url: 'https://own.example/'}")
    assert WebOptions.of(bench.text(elsewhere).functions["fn"]).sigv4 == SigV4(service="lambda", region="eu-west-1")


def test_what_proves_who_we_are_stays_a_secret_that_is_read_anew_and_paths_are_those_of_the_file(bench):
    bench.environ |= {"TOKEN": "t0ken", "PASS": "passw0rd", "SHARED": "shar3d"}
    bench.write("conf/ca.pem", "x")
    text = """
functions:
  a: {type: http, url: "https://x/", bearer_token: {env: TOKEN}, ca_bundle: ca.pem}
  b: {type: http, url: "https://x/", basic_auth: {username: me, password: {env: PASS}}}
  c: {type: http, url: "https://x/", hmac: {secret: {env: SHARED}}}
"""
    functions = bench.text(text, "conf/poller.yaml").functions
    bench.environ |= {"TOKEN": "new", "PASS": "new", "SHARED": "new"}
    a, b, c = (WebOptions.of(functions[key]) for key in "abc")
    assert a.bearer_token is not None
    assert b.basic_auth is not None
    assert c.hmac is not None
    assert [secret.read() for secret in (a.bearer_token, b.basic_auth.password, c.hmac.secret)] == ["new"] * 3
    assert "new" not in repr(functions)
    assert a.ca_bundle == bench.directory / "conf/ca.pem"


def test_a_window_needs_the_answer_too(bench):
    text = (
        functions_text("{type: lambda, function_name: f, invocation_type: Event}")
        + """
event_source_mappings:
  - event_source_arn: arn:aws:kinesis:eu-west-1:123456789012:stream/s
    name: s
    function_name: fn
    starting_position: TRIM_HORIZON
    tumbling_window_in_seconds: 30
"""
    )
    [problem] = bench.problems_of(text)
    assert "event_source_mappings[0].tumbling_window_in_seconds: reads the function's answer, and fn is" in problem
