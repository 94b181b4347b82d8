"""`poller import lambda`: the mappings that Lambda has now, asked by ListEventSourceMappings."""

from datetime import datetime
from typing import Any

from poller.aws.sdk_calls import SdkCalls
from poller.configuration.model.aws import AwsSettings
from poller.importers.draft import Draft, Findings, Remark
from poller.values.errors import CallError, EnvironmentProblem

SHOWN = frozenset(
    {
        "EventSourceMappingArn",
        "FilterCriteriaError",
        "LastModified",
        "LastProcessingResult",
        "State",
        "StateTransitionReason",
    }
)
"""Members of an answer that are no parameters."""
ENABLED = ("Enabled", "Enabling", "Creating", "Updating")
MOST_PAGES = 1000
"""Of 100 mappings each."""


async def read(region: str, aws: AwsSettings, function: str | None) -> Findings:
    """All mappings of the account in one region, or those of one function. Raises EnvironmentProblem."""
    calls = SdkCalls(aws, region)
    found = Findings()
    more: dict[str, Any] = {} if function is None else {"FunctionName": function}
    for _ in range(MOST_PAGES):
        try:
            answer = await calls.call("lambda", "list_event_source_mappings", **more)
        except CallError as error:
            raise EnvironmentProblem(f"Lambda in {region} does not list its mappings: {error}") from error
        for mapping in answer.get("EventSourceMappings", ()):
            found.drafts.append(await _draft(mapping, calls, found))
        if not answer.get("NextMarker"):
            return found
        more["Marker"] = answer["NextMarker"]
    raise EnvironmentProblem(f"Lambda in {region} lists more than {MOST_PAGES} pages of mappings")


async def _draft(mapping: dict[str, Any], calls: SdkCalls, found: Findings) -> Draft:
    uuid = str(mapping.get("UUID", ""))
    parameters = {key: _plain(value) for key, value in mapping.items() if key not in SHOWN}
    parameters["uuid"] = parameters.pop("UUID", None)
    parameters["FunctionName"] = parameters.pop("FunctionArn", None)
    parameters["Enabled"] = mapping.get("State") in ENABLED
    arn = mapping.get("EventSourceMappingArn")
    if arn:
        try:
            parameters["Tags"] = (await calls.call("lambda", "list_tags", Resource=arn)).get("Tags")
        except CallError as error:
            found.remarks.append(Remark(uuid, f"its tags cannot be read: {error}"))
    if mapping.get("FilterCriteriaError"):
        found.remarks.append(Remark(uuid, "its filters are encrypted and cannot be read; the mapping has none here"))
    if mapping.get("StartingPosition"):
        text = f"starts at its starting_position here, not where Lambda is now: for that, run poller cutover {uuid}"
        found.remarks.append(Remark(uuid, text))
    source = str(parameters.get("EventSourceArn", "")).rpartition(":")[2].rpartition("/")
    name = f"{source[2] or source[0]}-{str(parameters['FunctionName']).partition(':function:')[2]}"
    return Draft(name, f"lambda {uuid}", name, parameters)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {key: _plain(child) for key, child in value.items()}
    return [_plain(child) for child in value] if isinstance(value, list) else value
