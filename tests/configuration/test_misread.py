"""What YAML, or an earlier problem, makes of a value: nothing is taken for what was not meant, and nothing is concluded
from what was refused.
"""

from pathlib import Path

import pytest

from poller.configuration.model.aws import SERVICES, AwsSettings

MAPPING = "event_source_mappings:\n  - {event_source_arn: 'arn:aws:sqs:eu-west-1:123456789012:q', function_name: f%s}\n"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("010", "8; write 8 or 10"),
        ("-010", "-8; write -8 or -10"),
        ("1:30", "90; write 90"),
        ("1:30:00", "5400; write 5400"),
        ("1_0", "10; write 10"),
        ("0x10", "16; write 16"),
        ("0b10", "2; write 2"),
        ("1_0.5", "10.5; write 10.5"),
        ("1:30.5", "90.5; write 90.5"),
        ("000000000000", "0; write 0 or 0"),
    ],
)
@pytest.mark.parametrize(
    "text", ["shutdown_grace_seconds: {}", "functions: {{f: {{type: http, url: 'http://x', headers: {{X: {}}}}}}}"]
)
def test_a_number_that_yaml_reads_otherwise_than_people_do_is_refused(bench, written, read, text):
    [problem] = bench.problems_of(text.format(written))
    assert f": is {written}, which YAML reads as {read}, or put text in quotes" in problem


@pytest.mark.parametrize("written", ["0", "10", "+10", "1.5", "10.", ".5", "1.5e+1", "2.5E-1"])
def test_a_number_that_all_read_alike_is_taken(bench, written):
    assert bench.text(f"shutdown_grace_seconds: {written}").settings.shutdown_grace_seconds == float(written)


@pytest.mark.parametrize(
    "text",
    [
        MAPPING % ", tags: {account: '010', time: '1:30'}",
        MAPPING % ', filter_criteria: {filters: [{pattern: \'{"body": {"a": [1]}}\'}]}',
        "functions: {f: {type: http, url: 'http://x', headers: {X: '010'}}}",
    ],
)
def test_text_in_quotes_is_taken(bench, text):
    assert bench.text(text).sources == [Path("poller.yaml")]


def test_text_in_quotes_stays_what_it_is(bench):
    [mapping] = bench.text(MAPPING % ", tags: {account: '010', time: '1:30', country: 'NO'}").mappings
    assert mapping.tags == {"account": "010", "time": "1:30", "country": "NO"}
    assert bench.text("shutdown_grace_seconds: '010'").settings.shutdown_grace_seconds == 10


def test_toml_and_json_have_numbers_of_their_own(bench):
    assert bench.text("shutdown_grace_seconds = 0x10", "a.toml").settings.shutdown_grace_seconds == 16
    assert bench.text('{"shutdown_grace_seconds": 1e1}', "a.json").settings.shutdown_grace_seconds == 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MAPPING % ", tags: {country: NO}", "tags.country: is NO, which YAML reads as false; put text in quotes"),
        (MAPPING % ", tags: {switch: on}", "tags.switch: is on, which YAML reads as true; put text in quotes"),
        (MAPPING % ", tags: {day: 2026-01-31}", "is 2026-01-31, which YAML reads as a date; put text in quotes"),
        (MAPPING % ", tags: {on: x}", "the key 'on' is not text; put it in quotes"),
        ("log: {level: off}", "log.level: is off, which YAML reads as false; it must be 'debug'"),
        ("aws: {region: yes}", "aws.region: is yes, which YAML reads as true; put text in quotes"),
        ("max_bytes_in_flight: 1:30", "max_bytes_in_flight: is 1:30, which YAML reads as 90; write 90"),
    ],
)
def test_text_that_yaml_reads_as_something_else_is_shown_as_it_was_written(bench, text, expected):
    [problem] = bench.problems_of(text)
    assert expected in problem


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("dynamodb-streams", "dynamodbstreams"),
        ("states", "stepfunctions"),
        ("eventbridge", "events"),
        ("SQS", "sqs"),
        ("kineses", "kinesis"),
        ("ec2", None),
    ],
)
@pytest.mark.parametrize(
    "text", ["aws: {services: {%s: {region: r}}}", MAPPING % ", aws: {services: {%s: {region: r}}}"]
)
def test_settings_of_a_service_that_is_never_called_are_refused(bench, name, meant, text):
    [problem] = bench.problems_of(text.replace("%s", name))
    hint = f"; did you mean {meant}?" if meant else ""
    assert problem.endswith(
        f"aws.services.{name}: is no service that is called here, which are {', '.join(SERVICES)}{hint}"
    )


def test_every_service_that_is_called_may_have_settings(bench):
    services = bench.text(
        f"aws: {{services: {{{', '.join(f'{name}: {{region: r}}' for name in SERVICES)}}}}}"
    ).settings.aws.services
    assert list(services) == list(SERVICES)


@pytest.mark.parametrize(
    "aws",
    [
        "{region: eu-west-1, profil: x}",
        "{region: 7}",
        "{region: {env: NOT_SET}}",
        "{region: eu-west-1, services: {firehose: {region: r}}}",
        "{region: eu-west-1, services: {lambda: {regoin: r}}}",
        "{endpoint_url: nowhere, region: eu-west-1}",
        "{endpoint_url: {env: NOT_SET}, region: eu-west-1}",
    ],
)
def test_what_rests_on_refused_settings_of_aws_is_no_finding_of_its_own(bench, aws):
    functions = """
functions:
  edge: {type: function_url, url: "https://functions.example.com/"}
  signed: {type: http, url: "https://example.com/", sigv4: {service: execute-api}}
  emulator: {type: lambda, function_name: f, rie: true, endpoint_url: "http://127.0.0.1:9000"}
"""
    [problem] = bench.problems_of(f"aws: {aws}{functions}")
    assert problem.startswith("poller.yaml:1: aws.")


def test_an_emulator_s_endpoint_that_was_refused_is_not_missing(bench):
    [problem] = bench.problems_of("aws: {endpoint_url: x}\nfunctions: {f: {type: lambda, function_name: f, rie: true}}")
    assert problem.startswith("poller.yaml:1: aws.endpoint_url: is 'x'; it must be a URL")


def test_no_stand_in_is_in_settings_that_are_right(bench):
    assert bench.text("aws: {region: r}").settings.aws == AwsSettings(region="r")


@pytest.mark.parametrize(
    ("functions", "name", "hint"),
    [
        ("{f: {type: http, url: 'http://x/'}}", "g", "functions defines f"),
        ("{thumbnails: {type: http, url: 'http://x/'}}", "thumbnail", "did you mean thumbnails?"),
    ],
)
def test_a_name_that_no_function_is_declared_by_is_a_warning(bench, functions, name, hint):
    [warning] = bench.text(
        f"functions: {functions}\n" + (MAPPING % "").replace("function_name: f", f"function_name: {name}")
    ).warnings
    assert warning == (
        f"poller.yaml:3: function_name {name} is no key of functions, so it is taken as the name of a Lambda function; "
        f"{hint} (its ARN, or an entry of type lambda, says that it is meant)"
    )


@pytest.mark.parametrize(
    "name", ["f", "arn:aws:lambda:eu-west-1:123456789012:function:g", "123456789012:g", "'g:live'"]
)
def test_a_function_that_is_declared_or_surely_lambda_s_is_no_warning(bench, name):
    text = "functions: {f: {type: http, url: 'http://x/'}}\n" + (MAPPING % "").replace(
        "function_name: f", f"function_name: {name}"
    )
    assert bench.text(text).warnings == []


def test_without_declared_functions_a_name_is_lambda_s(bench):
    assert bench.text(MAPPING % "").warnings == []
