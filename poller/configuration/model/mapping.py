"""EventSourceMapping: one source bound to one function, everything resolved and checked. How it may be
written is decided where it is read; nothing here knows files.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from poller.configuration.model.asynchronous import Asynchronous
from poller.configuration.model.aws import AwsSettings
from poller.configuration.model.functions import FunctionConfig
from poller.configuration.model.settings import MIB
from poller.configuration.reading.secrets import Secret
from poller.policy.filtering import Filter, Loads, compile_filters
from poller.sources.kinds import KINDS, parse_source
from poller.sources.sqs.parameters import FEWEST_POLLERS, LONGEST_RECEIVE_WAIT, MOST_POLLERS, Unwrap
from poller.values.arns import EventSource
from poller.values.limits import LONGEST_HOLD_SECONDS

StartingPosition = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]
OnRecreated = Literal["stop", "trim_horizon", "latest"]
FullDocument = Literal["Default", "UpdateLookup"]
ExtendedJson = Literal["relaxed", "canonical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingConfig:
    maximum_concurrency: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionedPollerConfig:
    minimum_pollers: int = FEWEST_POLLERS
    maximum_pollers: int = MOST_POLLERS


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentDBEventSourceConfig:
    database_name: str
    collection_name: str | None = None
    """None for every collection of the database."""
    full_document: FullDocument = "Default"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSourceMapping:
    name: str
    uuid: str
    event_source_arn: str
    source: EventSource
    function: FunctionConfig
    enabled: bool = True
    batch_size: int = 10
    maximum_batching_window_in_seconds: float = 0
    function_response_types: tuple[str, ...] = ()
    scaling_config: ScalingConfig | None = None
    provisioned_poller_config: ProvisionedPollerConfig | None = None
    starting_position: StartingPosition = "TRIM_HORIZON"
    starting_position_timestamp: float | None = None
    """Epoch seconds, with AT_TIMESTAMP."""
    parallelization_factor: int = 1
    maximum_retry_attempts: int = -1
    """-1 is without limit."""
    maximum_record_age_in_seconds: int = -1
    bisect_batch_on_function_error: bool = False
    tumbling_window_in_seconds: int = 0
    on_failure_destination: str | None = None
    """ARN."""
    poll_interval_seconds: float = 1.0
    """Our addition: between two reads of a shard."""
    idle_poll_interval_seconds: float = 1.0
    """Our addition: the longest such interval, reached while a shard has no records."""
    on_stream_recreated: OnRecreated = "stop"
    """Our addition: what to do with the position of an older stream of the same name."""
    document_db: DocumentDBEventSourceConfig | None = None
    """What is watched of a DocumentDB cluster."""
    mongodb_uri: Secret | None = None
    """Our addition: how the cluster is reached; None for the endpoint that AWS has for the ARN."""
    tls_ca_file: Path | None = None
    """Our addition: the authorities that signed the server's certificate; None for those of the system."""
    change_log_retention_seconds: int | None = None
    """Our addition: how long the cluster keeps its change log; None where nobody has said it."""
    source_secret: Secret | None = None
    """The ARN of the secret with user and password, or the secret itself."""
    on_history_lost: OnRecreated = "stop"
    """Our addition: what to do where the change log no longer has the position."""
    extended_json: ExtendedJson = "relaxed"
    """Our addition: the flavour of Extended JSON in events."""
    deaggregate: bool = False
    """Our addition: aggregates are unpacked, as they always are with enhanced fan-out."""
    metrics: tuple[str, ...] = ()
    """As written under `metrics_config`; EventCount is counted whether written or not."""
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    aws: AwsSettings = field(default_factory=AwsSettings)
    maximum_hold_seconds: int = LONGEST_HOLD_SECONDS
    """Our addition: how long messages are kept invisible before they are released."""
    receive_wait_seconds: int = LONGEST_RECEIVE_WAIT
    """Our addition: the longest a receive waits for messages, and a soft stop for a receive."""
    failure_visibility_timeout_seconds: int | None = None
    """Our addition: shortens the wait for the next attempt; None leaves it to the queue's own timeout."""
    filter_criteria: tuple[str, ...] = ()
    """Patterns as JSON text; none lets everything pass."""
    on_no_match: str | None = None
    """Our addition: ARN of the queue that gets the messages no pattern matches; None deletes them."""
    unwrap: Unwrap | None = None
    """Our addition: the service whose event each message carries, or `auto`; None hands messages over as they are."""
    fifo_stop_at_first_failure: bool = False
    """Our addition: a partial response keeps the rest of the failed message's group."""
    asynchronous: Asynchronous | None = None
    """The messages are events of the function's callers, who do not wait."""
    shadow: bool = False
    """Our addition: nothing is stored of it, and no destination is told."""
    shadow_function: FunctionConfig | None = None
    """Our addition: gets a copy of each batch; its answers settle nothing."""
    redact: tuple[str, ...] = ()
    """Our addition: paths to what is hidden in events that are kept or shown."""
    max_bytes_in_flight: int = 64 * MIB
    """Our addition: received and not yet settled or released."""

    def criteria(self, loads: Loads | None = None) -> Filter:
        """The patterns compiled; `loads` as of `compile_filters`."""
        return compile_filters(self.filter_criteria, KINDS[self.source.kind].members, loads=loads)

    @property
    def destinations(self) -> tuple[str, ...]:
        """ARNs of all destinations that may get records instead of the function."""
        own = tuple(arn for arn in (self.on_failure_destination, self.on_no_match) if arn is not None)
        return own if self.asynchronous is None else self.asynchronous.destinations

    @property
    def functions(self) -> tuple[FunctionConfig, ...]:
        """All functions that are invoked, its own first."""
        return (self.function,) if self.shadow_function is None else (self.function, self.shadow_function)

    @property
    def report_batch_item_failures(self) -> bool:
        return "ReportBatchItemFailures" in self.function_response_types

    @property
    def lanes(self) -> tuple[int, int]:
        """`(start, most)`: concurrent batches; of a stream, per shard."""
        return KINDS[self.source.kind].lanes(self)

    @property
    def endpoint_url(self) -> str | None:
        """The endpoint of the source's service, if one is set."""
        return self.aws.for_service(self.source.service)[0]

    @property
    def region(self) -> str:
        """The region of the source's service: the ARN's, or the configured one if an endpoint_url applies."""
        return self.aws.region_of(self.source.service, self.source.region) or self.source.region


def asynchronous_mapping(function: FunctionConfig, aws: AwsSettings) -> EventSourceMapping | None:
    """What invokes a function for callers that do not wait; None where it has no queue for their events."""
    asynchronous = function.asynchronous
    if asynchronous is None:
        return None
    name = f"{function.key}:asynchronous"
    return EventSourceMapping(
        name=name,
        uuid=default_uuid(name),
        event_source_arn=asynchronous.queue,
        source=parse_source(asynchronous.queue),
        function=function,
        aws=aws,
        batch_size=1,
        # released then, and given up when it is received again
        maximum_hold_seconds=min(LONGEST_HOLD_SECONDS, asynchronous.maximum_event_age_in_seconds),
        asynchronous=asynchronous,
    )


def default_uuid(name: str) -> str:
    """Stable over restarts and machines, since state is keyed by it."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"poller:{name}"))
