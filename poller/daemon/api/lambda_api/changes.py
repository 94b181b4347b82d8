"""CreateEventSourceMapping, UpdateEventSourceMapping and DeleteEventSourceMapping.

A call is checked in the order in which Lambda checks it, and in its words: the model, the source, what the source
takes, the function, whether there is such a mapping, the source itself. A call that is refused has changed nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from poller.configuration import EventSource, EventSourceMapping, parse_source
from poller.configuration.model.taken_parameters import AWS_PARAMETERS, REFUSED, not_for, takes
from poller.configuration.reading.spelling import snake_case
from poller.daemon.api.lambda_api.catalog import Catalog, Entry, Looking
from poller.daemon.api.lambda_api.described import described
from poller.daemon.api.lambda_api.errors import LambdaError
from poller.daemon.api.lambda_api.mappings import IN_USE, MAPPING, MAPPINGS, check_tags, found, of_api, stored
from poller.daemon.api.lambda_api.operation import Answer, Call, Operation
from poller.daemon.api.lambda_api.shapes import CREATE, UPDATE, check
from poller.policy.filtering.errors import AWS_MESSAGE
from poller.sources.kinds import KINDS
from poller.values.errors import ConfigurationError, MappingExists, UnknownFunction

INVALID = "InvalidParameterValueException"
FIXED = ("EventSourceArn", "StartingPosition", "StartingPositionTimestamp", "Tags")
"""Parameters that only the creation takes; tags have calls of their own."""
DOCUMENTS = "DocumentDBEventSourceConfig"
FIXED_OF_DOCUMENTS = frozenset(("DatabaseName", "CollectionName"))
"""Its members that an update may not name, even unchanged, as at Lambda."""
NO_FUNCTION = "Function does not exist"


class ChangeOperations:
    """Changes the catalog."""

    def __init__(self, catalog: Catalog, looking: Looking, started_at: float) -> None:
        """`started_at` as of `MappingOperations`."""
        self._catalog = catalog
        self._looking = looking
        self._started_at = started_at

    def operations(self) -> Sequence[Operation]:
        return [
            Operation("CreateEventSourceMapping", "POST", MAPPINGS, "steer", self.create),
            Operation("UpdateEventSourceMapping", "PUT", MAPPING, "steer", self.update),
            Operation("DeleteEventSourceMapping", "DELETE", MAPPING, "steer", self.delete),
        ]

    async def create(self, call: Call) -> Answer:
        given = _given(call)
        check(CREATE, given, required=("FunctionName",))
        source = _source(given)
        _refuse(given, source)
        _refuse_by(given, source)
        check_tags(given.get("Tags", {}))
        parameters = tidied(given)
        mapping = self._checked(parameters, source)
        await self._look(mapping, source, anew=True)
        return await self._changed(stored(self._catalog.create(parameters), "create"), parameters, source)

    async def update(self, call: Call) -> Answer:
        entry = await found(self._catalog, call)
        present = of_api(entry)
        given = _given(call)
        check(UPDATE, given)
        documents = given.get(DOCUMENTS, {})
        if fixed := [*(name for name in FIXED if name in given), *sorted(FIXED_OF_DOCUMENTS & documents.keys())]:
            raise LambdaError(INVALID, f"{fixed[0]} cannot be changed by an update; create another mapping")
        _refuse_in_use(entry, "update")
        source = parse_source(present.parameters["EventSourceArn"])
        _refuse(given, source)
        if documents:
            given[DOCUMENTS] = {**present.parameters.get(DOCUMENTS, {}), **documents}
        parameters = tidied({**present.parameters, **given})
        _refuse_by(parameters, source)
        mapping = self._checked(parameters, source, entry.uuid)
        await self._look(mapping, source, anew="FunctionName" in given)
        resume = given.get("Enabled") is True
        change = self._catalog.change(present, parameters, resume=resume)
        return await self._changed(stored(change, "update"), parameters, source)

    async def delete(self, call: Call) -> Answer:
        entry = await found(self._catalog, call)
        present = of_api(entry)
        _refuse_in_use(entry, "delete")
        entry = await stored(self._catalog.delete(present), "delete")
        return Answer(202, described(entry, self._started_at))

    def _checked(
        self, parameters: Mapping[str, Any], source: EventSource, uuid: str | None = None
    ) -> EventSourceMapping:
        try:
            return self._catalog.check(parameters, uuid)
        except (UnknownFunction, MappingExists, ConfigurationError) as error:
            raise _refusal(error, parameters, source) from error

    async def _changed(self, change: Any, parameters: Mapping[str, Any], source: EventSource) -> Answer:
        try:
            entry: Entry = await change
        except (UnknownFunction, MappingExists, ConfigurationError) as error:
            # another call, or a reload, came between
            raise _refusal(error, parameters, source) from error
        return Answer(202, described(entry, self._started_at))

    async def _look(self, mapping: EventSourceMapping, source: EventSource, *, anew: bool) -> None:
        """Raises LambdaError where what is named is not there, or may not be used."""
        if not anew:
            return
        if (await self._looking.function(mapping)).found == "missing":
            raise LambdaError(INVALID, NO_FUNCTION)
        seen, words = await self._looking.source(mapping), KINDS[source.kind].lambda_words
        if seen.found:
            text = words.missing if seen.found == "missing" else words.denied
            raise LambdaError(INVALID, text.format(source=source.arn, action=seen.action.partition(":")[2]))


def tidied(given: Mapping[str, Any]) -> dict[str, Any]:
    """Without the members that say nothing, by which an update takes something away."""
    tidy = {name: value for name, value in given.items() if value not in (None, {}, "", [])}
    if not tidy.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"):
        tidy.pop("DestinationConfig", None)
    for name, member in (("FilterCriteria", "Filters"), ("MetricsConfig", "Metrics")):
        if not tidy.get(name, {}).get(member):
            tidy.pop(name, None)
    return tidy


def _given(call: Call) -> dict[str, Any]:
    """The parameters of a call; null is as if it were not there."""
    return {name: value for name, value in call.document().items() if value is not None}


def _source(given: Mapping[str, Any]) -> EventSource:
    arn = given.get("EventSourceArn")
    if arn is None:
        raise LambdaError(INVALID, "Unrecognized event source.")
    try:
        return parse_source(arn)
    except ValueError as error:
        raise LambdaError(INVALID, f"Unrecognized event source. EventSourceArn {error}") from error


def _refuse(given: Mapping[str, Any], source: EventSource) -> None:
    """What the kind of source does not take. Raises LambdaError."""
    kind = KINDS[source.kind]
    for name, value in given.items():
        ours = snake_case(name)
        if ours not in AWS_PARAMETERS:
            raise LambdaError(INVALID, f"{name[:100]} is not a parameter of an event source mapping")
        if ours in REFUSED and value not in ("", {}, []):
            raise LambdaError(INVALID, f"{name} {not_for(kind, ours)}")
        if ours not in REFUSED and not takes(kind, ours):
            raise LambdaError(INVALID, f"Unsupported {name} parameter for given event source mapping type.")


def _refuse_by(given: Mapping[str, Any], source: EventSource) -> None:
    """What the kind of source refuses of what it takes. Raises LambdaError."""
    for text in KINDS[source.kind].lambda_words.refusals(given, source):
        raise LambdaError(INVALID, text)


def _refuse_in_use(entry: Entry, verb: str) -> None:
    """Raises LambdaError while a change is under way."""
    if not entry.state.lasts:
        raise LambdaError("ResourceInUseException", IN_USE.format(verb))


def _refusal(error: Exception, parameters: Mapping[str, Any], source: EventSource) -> LambdaError:
    if isinstance(error, UnknownFunction):
        return LambdaError(INVALID, NO_FUNCTION)
    if isinstance(error, MappingExists):
        function = str(parameters["FunctionName"]).rpartition(":function:")[2]
        text = KINDS[source.kind].lambda_words.exists
        return LambdaError(
            "ResourceConflictException", text.format(source=source.arn, function=function, uuid=error.uuid)
        )
    text = str(error)
    if AWS_MESSAGE in text:
        return LambdaError(INVALID, text[text.index(AWS_MESSAGE) :])
    return LambdaError(INVALID, "\n".join(line.partition(": ")[2] for line in text.splitlines()))
