"""Which parameters of one mapping cannot stand together. Each check gives the key at fault and the reason.

The checks of one kind of source are in its folder.
"""

from collections.abc import Iterator

from poller.configuration.model.aws import AwsSettings
from poller.configuration.model.functions import FunctionConfig
from poller.configuration.model.mapping_keys import WrittenMapping
from poller.destinations.kinds import check_destination
from poller.sources.kind import Finding
from poller.sources.kinds import KINDS
from poller.values.arns import EventSource


def cross_check(written: WrittenMapping, source: EventSource) -> Iterator[Finding]:
    yield from KINDS[source.kind].cross_check(written, source)
    yield from _destinations(written)
    if written.shadow and written.shadow_function_name is not None:
        yield ("shadow_function_name",), "is of a shadow, which has no shadow of its own; remove it"
    yield from _metrics(written)


def cross_check_aws(source: EventSource, aws: AwsSettings) -> Iterator[Finding]:
    """What a source needs of the way AWS is reached."""
    return KINDS[source.kind].cross_check_aws(source, aws)


def cross_check_function(written: WrittenMapping, function: FunctionConfig) -> Iterator[Finding]:
    """What a mapping asks of a function that it cannot do."""
    if function.options.answers:
        return
    reads = "reads the function's answer, and {} is invoked with invocation_type Event, whose answer never comes; "
    if written.function_response_types:
        yield ("function_response_types",), reads.format(function.key) + "remove one of the two"
    if written.tumbling_window_in_seconds:
        yield ("tumbling_window_in_seconds",), reads.format(function.key) + "remove one of the two"


def _destinations(written: WrittenMapping) -> Iterator[Finding]:
    destinations = written.destination_config
    if destinations is None:
        return
    if written.shadow:
        yield ("destination_config",), "is of a shadow, which tells no destination; remove it"
    at = "destination_config"
    if destinations.on_success is not None:
        yield (at, "on_success"), "is not supported for event source mappings, as in Lambda; remove it"
    if destinations.on_failure is not None:
        try:
            check_destination(destinations.on_failure.destination)
        except ValueError as error:
            yield (at, "on_failure", "destination"), str(error)


def _metrics(written: WrittenMapping) -> Iterator[Finding]:
    for index, metric in enumerate(written.metrics_config.metrics if written.metrics_config else []):
        if metric != "EventCount":
            yield (("metrics_config", "metrics", index), f"{metric} is for Kafka sources; only EventCount is possible")
