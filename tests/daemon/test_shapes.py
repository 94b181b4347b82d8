"""The model's ranges: those of Lambda's API here, those that the SDK knows, and those of the configuration are one.

They stand twice on purpose. Lambda refuses what its model does not allow before it looks at anything else, in other
words, and a caller gets the same here; a file is checked in the configuration's own words, with file and line. This test
holds the two together, and both to the SDK's model.
"""

import re

import botocore.session
import pytest

from poller.configuration.model.mapping_keys import WrittenMapping
from poller.configuration.reading.spelling import snake_case
from poller.daemon.api.lambda_api.errors import LambdaError
from poller.daemon.api.lambda_api.shapes import CREATE, UPDATE, check
from poller.policy.filtering import MOST_FILTERS

SDK = botocore.session.get_session().get_service_model("lambda")
CREATED, UPDATED = (SDK.shape_for(f"{verb}EventSourceMappingRequest") for verb in ("Create", "Update"))
ELSEWHERE = {
    "UUID",
    "Topics",
    "Queues",
    "SelfManagedEventSource",
    "LoggingConfig",
    "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig",
}
"""Of Kafka and message brokers, refused whole by their names; and the part of the path."""
OTHERWISE = {
    "ProvisionedPollerConfig.MinimumPollers": "the model says 1 for Kafka's sake; of a queue it is 2, as Lambda says later",
    "ProvisionedPollerConfig.MaximumPollers": "the same",
    "FilterCriteria.Filters": "the model has no bound; five are a quota of the account",
    "SourceAccessConfigurations": "the model has room for those of Kafka; a cluster has one",
    "MetricsConfig.Metrics": "the model names those of Kafka too",
    "EventSourceArn": "read by its own parser, which says what is wrong",
    "FunctionName": "read by its own parser, which says what is wrong",
    "DestinationConfig.OnFailure.Destination": "an empty one takes the destination away, by an update alone",
    "DestinationConfig.OnSuccess.Destination": "refused",
    "KMSKeyArn": "refused",
    "ProvisionedPollerConfig.PollerGroupName": "refused",
    "SourceAccessConfigurations.URI": "a file may hold the secret itself",
    "SourceAccessConfigurations.Type": "a cluster has one",
    "DocumentDBEventSourceConfig.DatabaseName": "said by a check of the source, with what is wrong",
    "DocumentDBEventSourceConfig.CollectionName": "said by a check of the source, with what is wrong",
    "FilterCriteria.Filters.Pattern": "said with the patterns, with what is wrong",
}
"""Members whose range in a file is another one than the model's, and why."""


def members(shape, path=()):
    """Every member with a range of its own, by its path."""
    for name, member in shape.members.items():
        if not path and name in ELSEWHERE:
            continue
        below = (*path, name)
        if member.type_name == "structure":
            yield from members(member, below)
        else:
            yield below, member
        if member.type_name == "list" and member.member.type_name == "structure":
            yield from members(member.member, below)


ALL = [pytest.param(path, member, id=".".join(path)) for path, member in members(CREATED)]


def values_of(member):
    """A value, and whether the SDK's model allows it."""
    least, most = member.metadata.get("min"), member.metadata.get("max")
    if member.type_name == "integer":
        yield from ((least, True), (least - 1, False), (most, True), (most + 1, False))
    elif "enum" in member.metadata:
        yield from ((one, True) for one in member.metadata["enum"])
        yield "None of them", False
    elif member.type_name == "string" and most is not None and "pattern" not in member.metadata:
        yield from (("x" * most, True), ("x" * (most + 1), False))
    elif member.type_name == "string" and most is not None:
        yield "x" * (most + 1), False
        for text in ("x", "a b", "$", ".", "/", "system.x", "arn:aws:sqs:eu-west-1:123456789012:q", "{", "é"):
            allowed = len(text) >= (least or 0) and re.fullmatch(member.metadata["pattern"], text) is not None
            yield text, allowed
    elif member.type_name == "list" and most is not None:
        inner = {"structure": {}, "string": "EventCount"}[member.member.type_name]
        value = "ReportBatchItemFailures" if member.name == "FunctionResponseTypeList" else inner
        yield from (([value] * most, True), ([value] * (most + 1), False))


def document(path, value):
    """With this member alone; each list on the way has one item."""
    for name in reversed(path):
        value = {name: value}
    for name in ("SourceAccessConfigurations",):
        if name in value and isinstance(value[name], dict):
            value[name] = [value[name]]
    filters = value.get("FilterCriteria", {}).get("Filters")
    if isinstance(filters, dict):
        value["FilterCriteria"]["Filters"] = [filters]
    return value


@pytest.mark.parametrize(("path", "member"), ALL)
def test_the_api_allows_what_the_sdk_s_model_allows(path, member):
    loose = path in {
        ("FunctionName",),
        ("KMSKeyArn",),
        ("EventSourceArn",),
        ("ProvisionedPollerConfig", "PollerGroupName"),
    }
    for value, allowed in values_of(member):
        for shape, of_sdk in ((CREATE, CREATED), (UPDATE, UPDATED)):
            if path[0] not in of_sdk.members or (loose and not allowed) or path[0] == "DestinationConfig":
                # patterns of names and ARNs are told more of by their own parsers, behind the model
                continue
            assert is_allowed(shape, document(path, value)) is allowed, value


def is_allowed(shape, given):
    try:
        check(shape, given)
    except LambdaError:
        return False
    return True


def parts_of(written, defined):
    """A schema with everything that it refers to or combines."""
    yield written
    below = [*written.get("anyOf", ()), *written.get("allOf", ())]
    if "$ref" in written:
        below.append(defined[written["$ref"].rpartition("/")[2]])
    for one in below:
        yield from parts_of(one, defined)


def ranges_of_files(schema, defined, path=()):
    """Least and most of each key, by its path in the words of the configuration."""
    for name, written in schema.get("properties", {}).items():
        parts = [*parts_of(written, defined)]
        found = {
            bound: part[key]
            # the outermost says it, where several do
            for part in reversed(parts)
            for bound, keys in (("min", ("minimum", "ge")), ("max", ("maximum", "le", "maxLength", "maxItems")))
            for key in keys
            if key in part
        }
        yield (*path, name), found
        for part in parts:
            yield from ranges_of_files(part, defined, (*path, name))
            for item in parts_of(part.get("items", {}), defined):
                yield from ranges_of_files(item, defined, (*path, name))


SCHEMA = WrittenMapping.model_json_schema()
FILES = dict(ranges_of_files(SCHEMA, SCHEMA["$defs"]))


@pytest.mark.parametrize(("path", "member"), ALL)
def test_a_file_has_the_ranges_of_the_model(path, member):
    bounds = {bound: member.metadata[bound] for bound in ("min", "max") if bound in member.metadata}
    if member.type_name != "integer":
        bounds.pop("min", None)
    if not bounds or ".".join(path) in OTHERWISE:
        return
    written = FILES[tuple(map(snake_case, path))]
    assert {bound: written.get(bound) for bound in bounds} == bounds


def test_what_differs_is_there():
    """Else the table of differences says what is no longer so."""
    known = {".".join(path) for path, _ in members(CREATED)}
    assert known >= OTHERWISE.keys()


def test_filters_have_the_quota_of_an_account_and_no_bound_of_the_model():
    check(CREATE, {"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 11}})
    assert MOST_FILTERS == FILES["filter_criteria", "filters"]["max"] == 5
