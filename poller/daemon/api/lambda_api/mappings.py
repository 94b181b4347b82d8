"""GetEventSourceMapping, ListEventSourceMappings, and the tags of mappings."""

from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from poller.daemon.api.lambda_api.catalog import Catalog, Entry
from poller.daemon.api.lambda_api.described import described, mapping_arn, source_arn, tags_of
from poller.daemon.api.lambda_api.errors import LambdaError
from poller.daemon.api.lambda_api.operation import Answer, Call, Operation
from poller.daemon.api.lambda_api.paging import marker, marker_of, most_items
from poller.daemon.api.lambda_api.shapes import TAGGING, UNTAGGING, check
from poller.support import telemetry
from poller.values.errors import MappingChanged, StateError
from poller.values.stored_mapping import StoredMapping

Result = TypeVar("Result")
MAPPINGS = "/2015-03-31/event-source-mappings"
MAPPING = f"{MAPPINGS}/{{UUID}}"
TAGS = "/2017-03-31/tags/{ARN}"
PAGE = 100
"""Most mappings of one answer, as Lambda's."""
MOST_TAGS = 50
LONGEST_KEY, LONGEST_VALUE = 128, 256
IN_USE = "Cannot {} the event source mapping because it is in use."


class MappingOperations:
    """Reads the catalog, and gives mappings tags."""

    def __init__(self, catalog: Catalog, started_at: float) -> None:
        """`started_at`: epoch seconds, shown as the time of the last change of what stands in files."""
        self._catalog = catalog
        self._started_at = started_at

    def operations(self) -> Sequence[Operation]:
        return [
            Operation("ListEventSourceMappings", "GET", MAPPINGS, "read", self.list),
            Operation("GetEventSourceMapping", "GET", MAPPING, "read", self.get),
            Operation("ListTags", "GET", TAGS, "read", self.tags),
            Operation("TagResource", "POST", TAGS, "steer", self.tag),
            Operation("UntagResource", "DELETE", TAGS, "steer", self.untag),
        ]

    async def list(self, call: Call) -> Answer:
        await look_at(self._catalog)
        begin, most = marker(call), most_items(call, PAGE)
        source, function = call.query.get("EventSourceArn"), call.query.get("FunctionName")
        found = sorted(
            (
                one
                for one in self._catalog.entries()
                if one.uuid > begin
                and source in (None, source_arn(one))
                and (function is None or function in _names(one))
            ),
            key=lambda one: one.uuid,
        )
        shown = [described(one, self._started_at) for one in found[:most]]
        body: dict[str, Any] = {"EventSourceMappings": shown}
        if len(found) > most:
            body["NextMarker"] = marker_of(found[most - 1].uuid)
        return Answer(200, body)

    async def get(self, call: Call) -> Answer:
        return Answer(200, described(await found(self._catalog, call), self._started_at))

    async def tags(self, call: Call) -> Answer:
        return Answer(200, {"Tags": tags_of(await self._tagged(call))})

    async def tag(self, call: Call) -> Answer:
        entry = await self._tagged(call)
        given = call.document()
        check(TAGGING, given, required=("Tags",))
        check_tags(tags := {**tags_of(entry), **given["Tags"]})
        await stored(self._catalog.tag(of_api(entry), tags), "update")
        return Answer(204)

    async def untag(self, call: Call) -> Answer:
        entry = await self._tagged(call)
        going = set(call.query.getall("tagKeys", []))
        if not going:
            check(UNTAGGING, {}, required=("tagKeys",))
        tags = {key: value for key, value in tags_of(entry).items() if key not in going}
        await stored(self._catalog.tag(of_api(entry), tags), "update")
        return Answer(204)

    async def _tagged(self, call: Call) -> Entry:
        arn = call.parts["ARN"]
        await look_at(self._catalog)
        entry = self._catalog.find(arn.rpartition(":")[2])
        if entry is None or mapping_arn(entry) != arn:
            raise LambdaError("ResourceNotFoundException", f"Event source mapping not found: {arn}")
        return entry


async def look_at(catalog: Catalog) -> None:
    """So that an answer shows what was done through another daemon. Where the store fails, it shows what is known."""
    with suppress(StateError):
        await catalog.look()


async def found(catalog: Catalog, call: Call) -> Entry:
    """The mapping that the path names. Raises LambdaError."""
    await look_at(catalog)
    entry = catalog.find(call.parts["UUID"])
    if entry is None:
        raise LambdaError("ResourceNotFoundException", "The resource you requested does not exist.")
    return entry


def of_api(entry: Entry) -> StoredMapping:
    """What may be changed by a call. Raises LambdaError for a mapping of the configuration."""
    if entry.stored is None:
        place = f" at {entry.place}" if entry.place else ""
        name = entry.uuid if entry.mapping is None else entry.mapping.name
        text = f"The mapping {name} stands in the files of poller's configuration{place}: change it there"
        raise LambdaError("ResourceConflictException", text)
    return entry.stored


def check_tags(tags: dict[str, str]) -> None:
    """Raises LambdaError."""
    for key, value in tags.items():
        if not 1 <= len(key) <= LONGEST_KEY or len(value) > LONGEST_VALUE or key.lower().startswith("aws:"):
            text = (
                f"The tag {key[:LONGEST_KEY]!r} is not valid: a key has 1 to {LONGEST_KEY} characters and does not "
                f"begin with aws:, a value has at most {LONGEST_VALUE}"
            )
            raise LambdaError("InvalidParameterValueException", text)
    if len(tags) > MOST_TAGS:
        raise LambdaError("InvalidParameterValueException", f"A mapping has at most {MOST_TAGS} tags")


async def stored(changing: Awaitable[Result], verb: str) -> Result:
    """What a change brings. `verb` names it for a refusal. Raises LambdaError, and what the catalog's `check` does."""
    try:
        return await changing
    except MappingChanged as error:
        raise LambdaError("ResourceInUseException", IN_USE.format(verb)) from error
    except StateError as error:
        telemetry.logger().error("made_mapping_not_stored", text=str(error))
        text = "The mapping could not be stored, and nothing has changed; the daemon's log says why"
        raise LambdaError("ServiceException", text) from error


def _names(entry: Entry) -> tuple[str, ...]:
    """By which ListEventSourceMappings finds the function."""
    arn = entry.function_arn
    own = "" if entry.stored is not None or entry.mapping is None else entry.mapping.function.key
    return own, arn, ":".join(arn.split(":")[6:])
