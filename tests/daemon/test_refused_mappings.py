"""Which mappings Lambda's API refuses to make or change: codes, texts, and the order of the checks. Nothing changes."""

import json

import pytest

from poller.daemon.api.lambda_api.errors import LambdaError
from tests.daemon.mapping_world import FUNCTION, an_account, mapping_world, refused

ACCOUNT = an_account()
QUEUE = ACCOUNT.queues["orders"].arn
FIFO = f"{QUEUE}.fifo"
NO_QUEUE = f"{QUEUE}-none"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
NO_STREAM = f"{STREAM}-none"
(TABLE,) = ACCOUNT.streams.tables
FAILED = {"Destination": "arn:aws:sqs:eu-west-1:123456789012:failed"}
INVALID = "InvalidParameterValueException"
UNSUPPORTED = "Unsupported {} parameter for given event source mapping type."
ENUM = "1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: Member must satisfy enum value set: {}"
RANGE = "1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: Member must have value {} than or equal to {}"


def queue(**given):
    return {"EventSourceArn": QUEUE, "FunctionName": FUNCTION, **given}


def stream(arn=STREAM, **given):
    return {"EventSourceArn": arn, "FunctionName": FUNCTION, "StartingPosition": "TRIM_HORIZON", **given}


REFUSED = [
    # the model comes first
    (
        queue(BatchSize="many"),
        "SerializationException",
        "STRING_VALUE can not be converted to Integer (at 'batchSize')",
    ),
    (queue(BatchSize=True), "SerializationException", "TRUE_VALUE can not be converted to Integer (at 'batchSize')"),
    (
        queue(FilterCriteria=[]),
        "SerializationException",
        "START_ARRAY can not be converted to Structure (at 'filterCriteria')",
    ),
    (
        queue(FilterCriteria={"Filters": [{"Pattern": {"a": [1]}}]}),
        "SerializationException",
        "START_OBJECT can not be converted to String (at 'filterCriteria.filters.1.member.pattern')",
    ),
    (
        queue(FunctionName={"file": "/etc/passwd"}),
        "SerializationException",
        "START_OBJECT can not be converted to String (at 'functionName')",
    ),
    (
        {"EventSourceArn": QUEUE},
        "ValidationException",
        "1 validation error detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null",
    ),
    (queue(BatchSize=0), "ValidationException", RANGE.format(0, "batchSize", "greater", 1)),
    (stream(ParallelizationFactor=11), "ValidationException", RANGE.format(11, "parallelizationFactor", "less", 10)),
    (
        queue(ScalingConfig={"MaximumConcurrency": 1}),
        "ValidationException",
        RANGE.format(1, "scalingConfig.maximumConcurrency", "greater", 2),
    ),
    (
        stream(StartingPosition="X"),
        "ValidationException",
        ENUM.format("X", "startingPosition", "[LATEST, AT_TIMESTAMP, TRIM_HORIZON]"),
    ),
    (
        queue(FunctionResponseTypes=["Bad"]),
        "ValidationException",
        (
            "1 validation error detected: Value '[Bad]' at 'functionResponseTypes' failed to satisfy constraint: Member must "
            "satisfy constraint: [Member must satisfy enum value set: [ReportBatchItemFailures], Member must not be null]"
        ),
    ),
    # the source, before the function
    ({"FunctionName": "none"}, INVALID, "Unrecognized event source."),
    # what the source does not take, before the function
    (
        queue(DestinationConfig={"OnFailure": FAILED}, FunctionName="none"),
        INVALID,
        UNSUPPORTED.format("DestinationConfig"),
    ),
    (stream(ScalingConfig={"MaximumConcurrency": 2}), INVALID, UNSUPPORTED.format("ScalingConfig")),
    (queue(ParallelizationFactor=2), INVALID, UNSUPPORTED.format("ParallelizationFactor")),
    (stream(TABLE, StartingPositionTimestamp=1.0), INVALID, UNSUPPORTED.format("StartingPositionTimestamp")),
    (
        queue(BatchSize=11),
        INVALID,
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
    ),
    (
        queue(EventSourceArn=FIFO, MaximumBatchingWindowInSeconds=1),
        INVALID,
        "Batching window is not supported for FIFO queues",
    ),
    (queue(EventSourceArn=FIFO, BatchSize=11), INVALID, "Batch size must not exceed 10 for FIFO queues"),
    (
        queue(ProvisionedPollerConfig={}),
        INVALID,
        "Either MinimumPollers or MaximumPollers are required if ProvisionedPollerConfig is provided.",
    ),
    (
        queue(ProvisionedPollerConfig={"MinimumPollers": 2}, ScalingConfig={"MaximumConcurrency": 2}),
        INVALID,
        (
            "Provisioned mode for SQS ESM does not support maximum concurrency feature. Use MaximumPollers as the control "
            "mechanism and remove maximum concurrency."
        ),
    ),
    (
        queue(ProvisionedPollerConfig={"MinimumPollers": 9, "MaximumPollers": 8}),
        INVALID,
        "MinimumPollers should be between [2, 200] and MaximumPollers should be between [MinimumPollers, 10000]",
    ),
    (
        {"EventSourceArn": STREAM, "FunctionName": FUNCTION},
        INVALID,
        "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.",
    ),
    (stream(TABLE, StartingPosition="AT_TIMESTAMP"), INVALID, f"Unsupported starting position for arn type: {TABLE}"),
    (stream(StartingPositionTimestamp=1.0), INVALID, "Timestamp only valid with StartingPosition AT_TIMESTAMP"),
    (
        stream(StartingPosition="AT_TIMESTAMP"),
        INVALID,
        "When the starting position is 'AT_TIMESTAMP', a starting position timestamp must be provided.",
    ),
    (
        stream(DestinationConfig={"OnSuccess": FAILED}),
        INVALID,
        "OnSuccess configuration is not supported for event source mappings.",
    ),
    (
        stream(MaximumRecordAgeInSeconds=59),
        INVALID,
        "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800 (inclusive)",
    ),
    (
        stream(TumblingWindowInSeconds=1, ParallelizationFactor=2),
        INVALID,
        "Parallelization factor must be equal to 1 when tumbling window period is configured",
    ),
    # the function, before the source
    (queue(EventSourceArn=NO_QUEUE, FunctionName="none"), INVALID, "Function does not exist"),
    (
        queue(EventSourceArn=NO_QUEUE),
        INVALID,
        (
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: "
            "The specified queue does not exist."
        ),
    ),
    (stream(NO_STREAM), INVALID, f"Stream not found: {NO_STREAM}"),
]


@pytest.mark.parametrize(("given", "code", "text"), REFUSED, ids=[text[:60] for _, _, text in REFUSED])
async def test_a_mapping_is_refused_as_lambda_refuses_it(tmp_path, given, code, text):
    async with mapping_world(tmp_path) as world:
        assert await refused(world.create(**given)) == (400, code, text)
        assert (await world.list())["EventSourceMappings"] == []
        assert await world.running.store.mappings() == {}


@pytest.mark.parametrize(
    ("given", "begin"),
    [
        (queue(FilterCriteria={"Filters": [{"Pattern": "{"}]}), "Invalid filter pattern definition."),
        (queue(FilterCriteria={"Filters": [{"Pattern": '{"a": []}'}]}), "Invalid filter pattern definition."),
        (
            stream(TumblingWindowInSeconds=1, FilterCriteria={"Filters": [{"Pattern": '{"partitionKey": ["a"]}'}]}),
            "FilterCriteria: cannot stand",
        ),
        (
            queue(EventSourceArn="arn:aws:kafka:eu-west-1:123456789012:cluster/a"),
            "Unrecognized event source. EventSourceArn is",
        ),
        (
            queue(EventSourceArn="arn:aws:rds:eu-west-1:123456789012:cluster:a"),
            "1 validation error detected: Value null at 'startingPosition'",
        ),
        (queue(Topics=["t"]), "Topics is not supported: it belongs to Kafka"),
        (queue(KMSKeyArn="arn:aws:kms:eu-west-1:1:key/a"), "KMSKeyArn is not supported"),
        (queue(Unwrap="sns"), "Unwrap is not a parameter"),
        (queue(Aws={"endpoint_url": "http://127.0.0.1/"}), "Aws is not a parameter"),
        (queue(Name="orders"), "Name is not a parameter"),
        (queue(FunctionName="a b"), "FunctionName: is neither a function's name"),
        (
            stream(DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:1:x.fifo"}}),
            "DestinationConfig.OnFailure",
        ),
        (stream(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=1e12), "StartingPositionTimestamp: is"),
        (queue(Tags={"aws:a": "b"}), "The tag 'aws:a' is not valid"),
    ],
)
async def test_what_else_cannot_be_is_refused_with_the_parameter_and_the_reason(tmp_path, given, begin):
    async with mapping_world(tmp_path) as world:
        status, code, text = await refused(world.create(**given))
        assert (status, code) == (400, INVALID)
        assert text.startswith(begin)
        assert await world.running.store.mappings() == {}


async def test_several_values_out_of_range_are_told_together(tmp_path):
    async with mapping_world(tmp_path) as world:
        _, code, text = await refused(world.create(**queue(BatchSize=0, MaximumBatchingWindowInSeconds=301)))
        assert code == "ValidationException"
        assert text.startswith("2 validation errors detected: Value '0' at 'batchSize' failed")
        assert "; Value '301' at 'maximumBatchingWindowInSeconds' failed" in text


async def test_a_second_mapping_of_a_source_and_a_function_is_refused_by_its_uuid(tmp_path):
    async with mapping_world(tmp_path) as world:
        for given, text in (
            (
                queue(),
                (
                    'An event source mapping with SQS arn (" {} ") and function (" thumbnails ") already exists. Please update '
                    "or delete the existing mapping with UUID {}"
                ),
            ),
            (
                stream(),
                (
                    'The event source arn (" {} ") and function (" thumbnails ") provided mapping already exists. Please '
                    "update or delete the existing mapping with UUID {}"
                ),
            ),
        ):
            uuid = (await world.create(**given))["UUID"]
            whole = text.format(given["EventSourceArn"], uuid)
            assert await refused(world.create(**given)) == (409, "ResourceConflictException", whole)
            await world.create(**{**given, "FunctionName": f"{FUNCTION}:live"})


async def test_a_refused_update_changes_nothing(tmp_path):
    async with mapping_world(tmp_path) as world:
        made = await world.create(**queue())
        await world.settle(made["UUID"], "Creating")
        before = await world.get(made["UUID"])
        other = await world.create(**queue(FunctionName=f"{FUNCTION}:live"))
        for given, code in (
            ({"BatchSize": 11}, INVALID),
            ({"BatchSize": 0}, "ValidationException"),
            ({"EventSourceArn": STREAM}, INVALID),
            ({"StartingPosition": "LATEST"}, INVALID),
            ({"Tags": {"a": "b"}}, INVALID),
            ({"DestinationConfig": {"OnFailure": FAILED}}, INVALID),
            ({"FunctionName": "none"}, INVALID),
            ({"FilterCriteria": {"Filters": [{"Pattern": "["}]}}, INVALID),
            ({"FunctionName": f"{FUNCTION}:live"}, "ResourceConflictException"),
        ):
            assert (await refused(world.update(made["UUID"], **given)))[1] == code, given
            assert await world.get(made["UUID"]) == before
        assert {one["UUID"] for one in (await world.list())["EventSourceMappings"]} == {made["UUID"], other["UUID"]}


async def test_what_is_not_there_is_told_so(tmp_path):
    async with mapping_world(tmp_path) as world:
        nobody = "00000000-0000-4000-8000-000000000000"
        text = "The resource you requested does not exist."
        for call in (world.get(nobody), world.update(nobody, BatchSize=1), world.delete(nobody)):
            assert await refused(call) == (404, "ResourceNotFoundException", text)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_object_is_refused(tmp_path, body):
    async with mapping_world(tmp_path) as world:
        with pytest.raises(LambdaError) as caught:
            await world.answer("CreateEventSourceMapping", {}, (), body)
        assert (caught.value.status, caught.value.code) == (400, "InvalidRequestContentException")


async def test_a_source_that_does_not_answer_in_time_is_taken_as_it_is(tmp_path):
    async with mapping_world(tmp_path) as world:
        world.aws.latency = 60.0
        made = await world.create(**queue())
        assert made["State"] == "Creating"
        await world.settle(made["UUID"], "Creating")
        assert await world.state(made["UUID"]) == "Enabled"
        world.aws.latency = 0.01


async def test_functions_of_the_configuration_are_found_by_name_and_arn(tmp_path):
    functions = {"audit": {"type": "http", "url": "http://127.0.0.1:9/"}}
    async with mapping_world(tmp_path, functions=functions) as world:
        arn = "arn:aws:lambda:eu-west-1:000000000000:function:audit"
        made = await world.create(**queue(FunctionName=arn, Enabled=False))
        assert made["FunctionArn"] == arn
        assert world.running.status.mappings[0].function == "audit"
        for same in ("audit", "audit:$LATEST"):
            assert (await refused(world.create(**queue(FunctionName=same))))[1] == "ResourceConflictException"
        assert (await refused(world.create(**queue(FunctionName="audit:live"))))[2] == "Function does not exist"


async def test_the_files_win_over_a_made_mapping_which_runs_again_once_they_let_it(tmp_path):
    async with mapping_world(tmp_path) as world:
        made = (await world.create(**queue()))["UUID"]
        await world.settle(made, "Creating")
        world.reload(event_source_mappings=[{"Name": "orders", "EventSourceArn": QUEUE, "FunctionName": FUNCTION}])
        shown = await world.get(made)
        assert shown["State"] == "Disabled"
        assert "feeds the function from this source already" in shown["StateTransitionReason"]
        assert json.dumps(shown)
        await world.settle(made, "none")
        world.reload()
        await world.settle(made, "Disabled")
        assert await world.state(made) == "Enabled"


async def test_a_file_may_take_over_the_uuid_of_a_made_mapping(tmp_path):
    async with mapping_world(tmp_path) as world:
        made = (await world.create(**queue()))["UUID"]
        await world.settle(made, "Creating")
        named = {"Name": "orders", "Uuid": made, "EventSourceArn": QUEUE, "FunctionName": f"{FUNCTION}:live"}
        world.reload(event_source_mappings=[named])
        assert [status.uuid for status in world.running.status.mappings] == [made]
        entry = world.running.catalog.find(made)
        assert entry is not None
        assert entry.stored is None
