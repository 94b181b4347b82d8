"""Reads entries of `event_source_mappings`, and checks each against its source and the other entries."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from poller.configuration.model.asynchronous import KEY as ASYNCHRONOUS
from poller.configuration.model.aws import AwsSettings
from poller.configuration.model.cross_checks import cross_check, cross_check_aws, cross_check_function
from poller.configuration.model.fields import Written, same_fields
from poller.configuration.model.functions import FunctionConfig
from poller.configuration.model.mapping import (
    DocumentDBEventSourceConfig,
    EventSourceMapping,
    ProvisionedPollerConfig,
    ScalingConfig,
    asynchronous_mapping,
    default_uuid,
)
from poller.configuration.model.mapping_keys import WrittenMapping
from poller.configuration.model.patterns import read_patterns
from poller.configuration.model.read_functions import implied_function
from poller.configuration.model.taken_parameters import not_for
from poller.configuration.reading.explain import Report
from poller.configuration.reading.tree import Node
from poller.functions.keys import read_path
from poller.sources.kinds import KINDS, parse_source
from poller.values.arns import HOME_REGION, EventSource

SHADOW = "shadow_function_name"


class Functions:
    """All functions: the entries of `functions`, and the Lambda functions that only mappings name."""

    def __init__(self, declared: Mapping[str, FunctionConfig | None]) -> None:
        """`declared` holds None for an entry whose problems were reported."""
        self.declared = declared
        self._implied: dict[tuple[str, Hashable], FunctionConfig] = {}
        self._ways: Counter[str] = Counter()
        self.taken_for_lambda: list[tuple[str, str]] = []
        """Names without an entry in `functions`, although it has others, with the places of the first mappings."""

    def all(self) -> dict[str, FunctionConfig]:
        declared = [function for function in self.declared.values() if function is not None]
        return {function.key: function for function in (*declared, *self._implied.values())}

    def named(self, key: str, aws: AwsSettings, report: Report, by: str) -> FunctionConfig | None:
        """The function that a mapping names under its key `by`."""
        if key in self.declared:
            return self.declared[key]
        if (key, aws.key()) in self._implied:
            return self._implied[key, aws.key()]
        function = implied_function(key, aws, report, self.declared, by)
        if function is None:
            return None
        if self.declared and ":" not in key:
            self.taken_for_lambda.append((key, report.place_of(by)))
        # One name reached in two ways is two functions, whose slots are counted apart.
        self._ways[key] += 1
        ways = self._ways[key]
        self._implied[key, aws.key()] = replace(function, key=f"{key} ({ways})") if ways > 1 else function
        return self._implied[key, aws.key()]


def read_mapping(node: Node, functions: Functions, aws: AwsSettings, report: Report) -> EventSourceMapping | None:
    """One mapping; None with everything wrong about it reported. `functions` gains what the mapping implies."""
    if not isinstance(node.value, dict):
        report.say("must hold the keys of a mapping, such as event_source_arn and function_name")
        return None
    node = _with_arn(node, aws)
    source = _source(node, report)
    foreign = {name: reason for name in node.value if (reason := not_for(KINDS[source.kind] if source else None, name))}
    for name, reason in foreign.items():
        report.say(reason, name)
    written = report.validated(WrittenMapping, node.without(foreign))
    if written is None or source is None:
        return None
    for below, text in cross_check(written, source):
        report.say(text, *below)
    for below, text in cross_check_aws(source, written.aws.merged_over(aws)):
        report.say(text, *below)
    patterns = read_patterns(node, written, source, report)
    function = functions.named(written.function_name, written.aws.merged_over(aws), report, "function_name")
    if function is None:
        return None
    for below, text in cross_check_function(written, function):
        report.say(text, *below)
    shadow = None
    if written.shadow_function_name is not None:
        shadow = functions.named(written.shadow_function_name, written.aws.merged_over(aws), report, SHADOW)
        if shadow == function:
            report.say("is the function of the mapping itself; name another", SHADOW)
    reach = node.get("mongodb")
    ca_file = None if reach is None else read_path(reach, "tls_ca_file", replace(report, at=(*report.at, "mongodb")))
    mapping = _resolved(written, source, function, functions, aws, patterns=patterns, ca_file=ca_file)
    return replace(mapping, shadow_function=shadow)


def asynchronous_mappings(
    functions: Functions, aws: AwsSettings, reports: Mapping[str, Report], problems: Sequence[str]
) -> list[tuple[EventSourceMapping, Report]]:
    """Of the functions that have a queue for events of callers who do not wait. `reports` are those of the functions,
    by key; none are made where there are `problems`, one of which may be with such a queue.
    """
    made = [] if problems else [one for one in functions.declared.values() if one is not None]
    found = [(mapping, reports[one.key]) for one in made if (mapping := asynchronous_mapping(one, aws)) is not None]
    return [(mapping, replace(report, at=(*report.at, ASYNCHRONOUS))) for mapping, report in found]


def report_duplicates(found: Sequence[tuple[EventSourceMapping, Report]]) -> None:
    """Report names, uuids and functions that two mappings share, with both places; one problem for each mapping."""
    names: dict[str, Report] = {}
    uuids: dict[str, Report] = {}
    fed: defaultdict[Hashable, list[tuple[EventSourceMapping, Report]]] = defaultdict(list)
    for mapping, report in found:
        # a cluster is as many sources as collections are read of it
        targets = [(mapping.source, mapping.document_db, target) for target in mapping.function.likely_targets]
        twins = (there for target in targets for other, there in fed[target] if _same_target(mapping, other))
        twin = next(twins, None)
        if twin is not None:
            _say_twice(report, "function_name", f"feeds {mapping.function.key} from {mapping.source.name}", twin)
        elif mapping.name in names:
            _say_twice(report, "name", f"makes {mapping.name!r} the mapping's name", names[mapping.name])
        elif mapping.uuid in uuids:
            _say_twice(report, "uuid", f"makes {mapping.uuid} the mapping's uuid", uuids[mapping.uuid])
        if twin is None:
            # one of several equal mappings is enough for comparing
            for target in targets:
                fed[target].append((mapping, report))
        names.setdefault(mapping.name, report)
        uuids.setdefault(mapping.uuid, report)


def _same_target(one: EventSourceMapping, other: EventSourceMapping) -> bool:
    return one.function.same_target(other.function)


def _say_twice(report: Report, key: str, text: str, other: Report) -> None:
    report.say(f"{text}, as the mapping at {other.place} does; change or remove one", key)


def _with_arn(node: Node, aws: AwsSettings) -> Node:
    """The mapping with an ARN that stands for its source, where that has none of its own."""
    named = node.get("name") or node.get("uuid")
    if "event_source_arn" in node.value or named is None or not isinstance(named.value, str):
        return node
    for kind in KINDS.values():
        if kind.reached_by is not None and kind.stand_in is not None and _at(node, *kind.reached_by) is not None:
            own = _at(node, "aws", "region")
            region = own.value if own is not None and isinstance(own.value, str) else aws.region
            arn = replace(named, value=kind.stand_in(named.value, region or HOME_REGION), written=None)
            return replace(node, value={**node.value, "event_source_arn": arn})
    return node


def _at(node: Node, key: str, below: str) -> Node | None:
    there = node.get(key)
    return None if there is None else there.get(below)


def _source(node: Node, report: Report) -> EventSource | None:
    """The source if it can be read."""
    arn = node.get("event_source_arn")
    if arn is None or not isinstance(arn.value, str):
        return None
    try:
        return parse_source(arn.value)
    except ValueError as error:
        report.say(str(error), "event_source_arn")
        return None


def _resolved(
    written: WrittenMapping,
    source: EventSource,
    function: FunctionConfig,
    functions: Functions,
    aws: AwsSettings,
    *,
    patterns: tuple[str, ...],
    ca_file: Path | None,
) -> EventSourceMapping:
    """Most parameters are taken as written; the others need the source, the function or a form of their own."""
    name = written.name or f"{source.name}-{_short_name(function, functions)}"
    pollers, scaling = written.provisioned_poller_config, written.scaling_config
    kind, documents = KINDS[source.kind], written.document_db_event_source_config
    windowed = "maximum_batching_window_in_seconds" in written.model_fields_set
    on_failure = written.destination_config.on_failure if written.destination_config else None
    resolved = {
        **same_fields(written, EventSourceMapping),
        "name": name,
        "uuid": written.uuid or default_uuid(name),
        "event_source_arn": source.arn,
        "source": source,
        "function": function,
        "aws": written.aws.merged_over(aws),
        # a service whose events are unwrapped invokes a function for one event
        "batch_size": written.batch_size or (1 if written.unwrap else kind.batch_size),
        "maximum_batching_window_in_seconds": written.maximum_batching_window_in_seconds
        if windowed
        else kind.batching_window,
        "starting_position": written.starting_position or "TRIM_HORIZON",
        "scaling_config": ScalingConfig(**_given(scaling)) if scaling else None,
        "provisioned_poller_config": ProvisionedPollerConfig(**_given(pollers)) if pollers else None,
        "filter_criteria": patterns,
        "document_db": DocumentDBEventSourceConfig(**documents.model_dump()) if documents else None,
        "mongodb_uri": written.mongodb.uri if written.mongodb else None,
        "tls_ca_file": ca_file,
        "change_log_retention_seconds": written.mongodb.retention_seconds if written.mongodb else None,
        "source_secret": access[0].uri if (access := written.source_access_configurations) else None,
        "on_failure_destination": on_failure.destination if on_failure else None,
        "on_no_match": written.on_no_match.send_to if written.on_no_match else None,
        "maximum_retry_attempts": _retries(written),
        "metrics": tuple(written.metrics_config.metrics) if written.metrics_config else (),
    }
    return EventSourceMapping(**resolved)


def _retries(written: WrittenMapping) -> int:
    """A shadow passes over what fails, unless it says otherwise: nobody waits for it."""
    said = "maximum_retry_attempts" in written.model_fields_set
    return 0 if written.shadow and not said else written.maximum_retry_attempts


def _short_name(function: FunctionConfig, functions: Functions) -> str:
    """The function's part in the default name of a mapping."""
    name = None if function.key in functions.declared else function.name
    if name is None:
        return function.key
    return f"{name.name}-{name.qualifier}" if name.qualifier else name.name


def _given(model: Written) -> dict[str, int]:
    return model.model_dump(exclude_none=True, exclude={"poller_group_name"})
