"""`poller import terraform`: the mappings of a plan or a state, as `terraform show -json` prints them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from poller.configuration.reading.regular import read_text
from poller.importers.draft import (
    FUNCTION_URL,
    SERVICES,
    UNKNOWN_ACCOUNT,
    UNKNOWN_REGION,
    Draft,
    Findings,
    Hole,
    Remark,
    join,
    no_mapping,
)
from poller.importers.given import Given
from poller.values.errors import ConfigurationError
from poller.values.partitions import AWS, partition_of

MAPPINGS = ("aws_lambda_event_source_mapping", "awscc_lambda_event_source_mapping")
URLS = ("aws_lambda_function_url", "awscc_lambda_url")
PERMISSION = "aws_lambda_permission"
COMPUTED = frozenset(
    {
        "arn",
        "event_source_mapping_arn",
        "event_source_mapping_id",
        "function_arn",
        "id",
        "last_modified",
        "last_processing_result",
        "region",
        "state",
        "state_transition_reason",
        "tags_all",
        "timeouts",
        "uuid",
    }
)
"""Attributes that nobody writes, or that say nothing about the mapping."""
OF_STREAMS = frozenset(
    {
        "bisect_batch_on_function_error",
        "maximum_record_age_in_seconds",
        "maximum_retry_attempts",
        "parallelization_factor",
        "tumbling_window_in_seconds",
    }
)
"""Attributes that the provider sets to nothing for queues too."""
NAMES = {
    "destination_arn": "Destination",
    "filter": "Filters",
    "source_access_configuration": "SourceAccessConfigurations",
    "document_db_event_source_config": "DocumentDBEventSourceConfig",
}
"""Attributes that AWS calls otherwise than in PascalCase."""
ARNS = {
    "aws_sqs_queue": ("name", "arn", "arn:{p}:sqs:{r}:{a}:{n}", ""),
    "aws_kinesis_stream": ("name", "arn", "arn:{p}:kinesis:{r}:{a}:stream/{n}", ""),
    "aws_sns_topic": ("name", "arn", "arn:{p}:sns:{r}:{a}:{n}", ""),
    "aws_s3_bucket": ("bucket", "arn", "arn:{p}:s3:::{n}", ""),
    "aws_lambda_function": ("function_name", "arn", "arn:{p}:lambda:{r}:{a}:function:{n}", ""),
    "aws_dynamodb_table": (
        "name",
        "stream_arn",
        "arn:{p}:dynamodb:{r}:{a}:table/{n}/stream/1970-01-01T00:00:00.000",
        "the ARN of a table's stream ends in the time of its creation",
    ),
}
"""Resources whose ARN a plan does not know yet: the attribute that names them, that of the ARN, its form, and what is
left open.
"""
_STATE = "is a state file; give what `terraform show -json` prints"
_NO_PLAN = "holds neither a plan nor a state; give what `terraform show -json` prints"


def read(path: Path, given: Given) -> Findings:
    """Raises ConfigurationError for a file that is no output of `terraform show -json`."""
    document = _document(path)
    planned = "planned_values" in document
    values = document.get("planned_values" if planned else "values")
    if not isinstance(values, dict):
        raise ConfigurationError([f"{path}: {_STATE if 'lineage' in document else _NO_PLAN}"])
    resources = list(_resources(values.get("root_module")))
    changes = {_text(change, "address"): change for change in _dicts(document.get("resource_changes"))}
    plan = _Plan(document, resources, given)
    found = Findings()
    for resource in resources:
        address = _text(resource, "address")
        if (why := _trigger(resource)) is not None:
            named = _text(resource.get("values"), "function_name") or address
            found.refuse_once(str(path), address, why, of=named)
        if resource.get("type") not in MAPPINGS or resource.get("mode") == "data":
            continue
        own = resource.get("values")
        parameters = _parameters(own if isinstance(own, dict) else {}, found, f"{path}: {address}")
        unknown = _dict(_dict(changes.get(address)).get("change")).get("after_unknown")
        for key in _dict(unknown) if planned else ():
            if key not in COMPUTED and _dict(unknown)[key] is True:
                parameters[_spelled(key)] = plan.hole(resource, key)
        stream = parameters.get("StartingPosition")
        example = "arn:aws:kinesis:us-east-1:000000000000:stream/STREAM" if stream else None
        name = address.rpartition("mapping.")[2].replace("[", "-").replace("]", "").replace('"', "")
        found.drafts.append(Draft(name, str(path), address, parameters, example_arn=example))
    for address, change in changes.items():
        if change.get("type") in MAPPINGS and _dict(change.get("change")).get("actions") == ["delete"]:
            found.refuse(str(path), f"{address}: the plan deletes it")
    return found


def _trigger(resource: dict[str, Any]) -> str | None:
    """Why something else that invokes a function is refused; None for anything else."""
    kind, values = resource.get("type"), _dict(resource.get("values"))
    if kind in URLS:
        return FUNCTION_URL
    if kind == PERMISSION and _text(values, "principal").endswith(SERVICES):
        return no_mapping(_text(values, "principal"))
    # these invoke by a role, so that no permission names them; what a plan does not know yet may be a function
    targets = {"aws_pipes_pipe": [values], "aws_scheduler_schedule": _dicts(values.get("target"))}.get(str(kind), [])
    named = [str(one.get("target" if one is values else "arn") or ":function:") for one in targets]
    return no_mapping(str(kind)) if any(":function:" in one for one in named) else None


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_text(path, "utf-8-sig"))
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read ({error.strerror or type(error).__name__})"]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError([f"{path}: is not JSON; give what `terraform show -json` prints"]) from error
    return _dict(document)


def _resources(module: Any) -> Iterator[dict[str, Any]]:
    waiting = [module]
    while waiting:
        each = _dict(waiting.pop())
        yield from _dicts(each.get("resources"))
        waiting += _dicts(each.get("child_modules"))


def _parameters(values: dict[str, Any], found: Findings, place: str) -> dict[str, Any]:
    """The attributes by AWS's names, without those that the provider leaves empty."""
    stream = bool(values.get("starting_position"))
    parameters = {}
    for key, value in values.items():
        if key in COMPUTED or (key in OF_STREAMS and not stream):
            continue
        if key == "maximum_record_age_in_seconds" and value == 0:
            continue
        if key in ("parallelization_factor", "batch_size") and value == 0:
            continue
        named = _named(key, value)
        if named not in (None, "", [], {}):
            parameters[_spelled(key)] = named
    if "EventSourceArn" not in parameters and "event_source_arn" in values:
        found.remarks.append(Remark(place, "event_source_arn is empty"))
    return parameters


def _named(key: str, value: Any) -> Any:
    """A block is a list of one object; of filters and access configurations there may be several."""
    if key in ("tags", "pattern"):
        return value
    if isinstance(value, list) and key not in ("filter", "filters", "source_access_configuration"):
        objects = [each for each in value if isinstance(each, dict)]
        if objects and len(objects) == len(value):
            return _named(key, objects[0]) if len(objects) == 1 else [_named(key, each) for each in objects]
    if isinstance(value, list):
        return [_named(key, each) for each in value]
    if isinstance(value, dict):
        return {
            _spelled(name): named
            for name, child in value.items()
            if (named := _named(name, child)) not in (None, "", [], {})
        }
    return value


def _spelled(key: str) -> str:
    if key in NAMES:
        return NAMES[key]
    return "".join("KMS" if part == "kms" else part.capitalize() for part in key.split("_"))


class _Plan:
    """Explains what a plan does not know yet."""

    def __init__(self, document: dict[str, Any], resources: list[dict[str, Any]], given: Given) -> None:
        self._configuration = _dict(_dict(document.get("configuration")).get("root_module"))
        self._by_address = {_text(each, "address"): each for each in resources}
        self._given = given
        providers = _dict(_dict(document.get("configuration")).get("provider_config"))
        aws = _dict(_dict(providers.get("aws")).get("expressions"))
        constant = _dict(aws.get("region")).get("constant_value")
        self._region = given.region or (constant if isinstance(constant, str) else None)

    def hole(self, resource: dict[str, Any], key: str) -> Hole:
        """A sketch from the resource that the attribute refers to, if the plan knows that one's name."""
        module, _, _ = _text(resource, "address").rpartition(_text(resource, "type") + ".")
        for reference in self._references(module, resource, key):
            owner = self._by_address.get(module + reference.rpartition(".")[0])
            form = ARNS.get(_text(owner, "type")) if owner is not None else None
            if owner is not None and form is not None and reference.endswith(f".{form[1]}"):
                return self._sketched(module + reference, form, owner)
        known = ", ".join(self._references(module, resource, key)) or "something else"
        return Hole.of("", f"known after apply; it refers to {known}")

    def _sketched(self, reference: str, form: tuple[str, str, str, str], owner: dict[str, Any]) -> Hole:
        name = _dict(owner.get("values")).get(form[0])
        parts = {
            "{p}": partition_of(self._region) if self._region else AWS,
            "{r}": self._region or Hole.of(UNKNOWN_REGION, "the region: give it with --region"),
            "{a}": self._given.account or Hole.of(UNKNOWN_ACCOUNT, "the account: give it with --account"),
            "{n}": name if isinstance(name, str) else Hole.of("NAME", f"{reference}: its name is known after apply"),
        }
        pieces = form[2].replace("{", "\0{").replace("}", "}\0").split("\0")
        made = join([parts.get(piece, piece) for piece in pieces])
        left = f"{reference}: {form[3]}" if form[3] else f"{reference} is known after apply; this is how it will read"
        return Hole(made.sketch, (*made.reasons, left)) if isinstance(made, Hole) else Hole.of(made, left)

    def _references(self, module: str, resource: dict[str, Any], key: str) -> list[str]:
        node = self._configuration
        for step in module.split("."):
            if step not in ("module", ""):
                calls = _dict(node.get("module_calls"))
                node = _dict(_dict(calls.get(step.partition("[")[0])).get("module"))
        for each in _dicts(node.get("resources")):
            if each.get("type") == resource.get("type") and each.get("name") == resource.get("name"):
                named = _dict(_dict(each.get("expressions")).get(key)).get("references")
                return [one for one in named if isinstance(one, str)] if isinstance(named, list) else []
        return []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: Any, key: str) -> str:
    return str(_dict(value).get(key, ""))
