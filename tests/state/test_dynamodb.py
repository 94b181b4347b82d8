"""A DynamoDB table as the store: what is refused at the start, large values, and whatever a service may answer."""

import json
import random
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from poller.aws.port import Operation, Reply
from poller.cli.main import main
from poller.configuration import AwsSettings
from poller.policy.progress import LaneProgress, ShardProgress, StreamProgress
from poller.policy.windows import Window, WindowProgress
from poller.ports.fleet import Lease, Write
from poller.state.dynamodb.fleet import DynamoDBFleet
from poller.state.dynamodb.opening import judge, made, opened
from poller.state.dynamodb.table import KEYS, Refused, Table
from poller.values.errors import AnswerLost, EnvironmentProblem, NotSent, ServiceError, StateError, StoreAway

REGION = "eu-west-1"
ONE, TWO = "member-1", "member-2"


def mapping(**shards):
    return StreamProgress("orders", "arn:stream", "epoch", None, dict(shards))


def with_state(size, position="1"):
    """Progress with a window whose state cannot be compressed."""
    state = random.Random(size).randbytes(size // 2).hex().encode()
    return ShardProgress((LaneProgress(position, (), WindowProgress(Window(60, 120, b'"' + state + b'"', 7), 60)),))


@pytest.fixture
def aws(ministack, monkeypatch):
    for name, value in ministack.environment().items():
        monkeypatch.setenv(name, value)
    return AwsSettings(endpoint_url=ministack.url, region=REGION)


@pytest.fixture
def table(ministack):
    """Makes tables by hand."""
    client = ministack.client("dynamodb")

    def make(**items):
        name = f"table-{uuid4()}"
        client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **items)
        return name, client

    return make


def own_table(aws):
    return f"state-{uuid4()}"


async def refusal(aws, name):
    with pytest.raises(EnvironmentProblem) as refused:
        async with opened(aws, name, REGION, "poller"):
            pass
    assert not isinstance(refused.value, StoreAway)
    return str(refused.value)


# the table


@pytest.mark.live
async def test_a_table_that_is_missing_is_made_by_the_command_and_not_by_the_daemon(aws):
    name = own_table(aws)
    assert "the table does not exist: run `poller state migrate`" in await refusal(aws, name)
    assert "is being made" in await made(aws, name, REGION)
    async with opened(aws, name, REGION, "poller") as store:
        await store.open("u", mapping())
    assert "is right" in await made(aws, name, REGION)


@pytest.mark.live
async def test_a_table_of_another_program_is_refused_by_its_keys_or_its_items(aws, table):
    keys = {
        "AttributeDefinitions": [{"AttributeName": "leaseKey", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "leaseKey", "KeyType": "HASH"}],
    }
    name, _ = table(**keys)
    assert "a table of another program" in await refusal(aws, name)
    name, client = table(**KEYS)
    client.put_item(TableName=name, Item={"pk": {"S": "customer#1"}, "sk": {"S": "order#1"}})
    assert "holds items of another program" in await refusal(aws, name)
    assert client.scan(TableName=name)["Count"] == 1


@pytest.mark.live
async def test_a_newer_version_is_refused_where_it_says_so_and_else_goes_beside(aws, table):
    name, client = table(**KEYS)
    async with opened(aws, name, REGION, "poller") as store:
        await store.open("u", mapping())
        await store.claim("u", "a", ONE, Lease())
        for oldest in (1, 2):
            mark = {"pk": {"S": "poller"}, "sk": {"S": "schema"}, "version": {"N": "3"}, "oldest": {"N": str(oldest)}}
            client.put_item(TableName=name, Item=mark | {"mood": {"S": "fine"}})
            if oldest == 1:
                async with opened(aws, name, REGION, "poller") as beside:
                    assert await beside.leases("u") == {"a": Lease(ONE, 1)}
    assert "newer poller (schema 3, for versions from 2 on; this one is 1)" in await refusal(aws, name)


@pytest.mark.live
def test_the_command_makes_the_table_or_prints_it(ministack, aws, tmp_path, capsys):
    url = f"dynamodb://state-{uuid4()}?region={REGION}"
    (tmp_path / "poller.yaml").write_text(f"state: {url}\naws: {{endpoint_url: '{ministack.url}'}}\n")

    def poller(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["state", *arguments, "--config", str(tmp_path / "poller.yaml")])
        return ended.value.code or 0, capsys.readouterr()

    _, said = poller("migrate", "--print")
    properties = json.loads(said.out)["Resources"]["PollerState"]["Properties"]
    assert properties["KeySchema"] == KEYS["KeySchema"]
    assert poller("list")[0] == 69
    assert poller("migrate")[0] == 0
    assert poller("list")[1].out == "no position is stored\n"


# large values


@pytest.mark.live
async def test_a_release_is_lost_where_the_stream_was_replaced_and_its_fences_are_not_raised_yet(aws, table):
    name, client = table(**KEYS)
    async with opened(aws, name, REGION, "poller") as store:
        await store.open("u", mapping())
        claimed = await store.claim("u", "a", ONE, Lease())
        assert claimed is not None
        # another daemon replaced the mapping, and died before it came to the rows of shards
        client.update_item(
            TableName=name,
            Key={"pk": {"S": "F#poller"}, "sk": {"S": "map#u"}},
            UpdateExpression="SET g = :g",
            ExpressionAttributeValues={":g": {"S": "another"}},
        )
        assert (await store.leases("u"))["a"] == Lease(fence=1)
        write = Write("u", "a", claimed.fence, 1, ShardProgress(finished=True))
        assert await store.write(ONE, [write]) == {("u", "a")}


@pytest.mark.live
async def test_windows_with_more_state_than_an_item_takes_are_stored_whole(aws, table):
    name, _ = table(**KEYS)
    async with opened(aws, name, REGION, "poller") as store, opened(aws, name, REGION, "poller") as other:
        await store.open("u", mapping())
        await store.claim("u", "a", ONE, Lease())
        for version, size in ((1, 1_500_000), (2, 900_000), (3, 2_000_000), (4, 10)):
            progress = with_state(size, str(version))
            assert not await store.write(ONE, [Write("u", "a", 1, version, progress)])
            stored = await other.load("u")
            assert stored is not None
            assert stored.shards == {"a": progress}
        large = with_state(1_000_000)
        assert await store.write(TWO, [Write("u", "a", 1, 9, large)]) == {("u", "a")}
        assert not await store.write(ONE, [Write("u", "a", 1, 5, large)])
        # without progress: what is stored stays, parts and all
        assert not await store.write(ONE, [Write("u", "a", 1, 6, None, release=True, to=TWO)])
        claimed = await other.claim("u", "a", TWO, Lease(None, 1, 6, TWO))
        assert claimed is not None
        assert claimed.progress == large
        with pytest.raises(StateError, match="more state than DynamoDB stores at once"):
            await other.write(TWO, [Write("u", "a", 2, 1, with_state(9_000_000))])
        await store.forget("u")
        assert await store.load("u") is None


# what a service may answer


@dataclass
class Answering:
    """A transport that answers every call alike."""

    answer: Any
    calls: list[str] = field(default_factory=list)

    async def call(self, operation: Operation, body: bytes, *_: object, **__: object) -> Reply:
        self.calls.append(operation.name)
        if isinstance(self.answer, Exception):
            raise self.answer
        return Reply(200, {}, self.answer)


def answering(answer):
    return Table(Answering(answer), "t", REGION)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"[]",
        b'{"Item": []}',
        b'{"Item": {"pk": {}}}',
        b'{"Item": {"g": {"N": "nan!"}}}',
        b'{"Item": {"shards": {"B": "%"}}}',
        b'{"Item": {"pk": {"S": "x"}}}',
    ],
)
async def test_an_answer_that_makes_no_sense_is_a_reason_and_no_position(answer):
    store = DynamoDBFleet(answering(answer), "poller")
    with pytest.raises(StateError, match="cannot be understood"):
        await store.load("u")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NotSent("no route"), "cannot be reached: no route"),
        (AnswerLost("reset"), "cannot be reached: reset"),
        (ServiceError(400, "ProvisionedThroughputExceededException", "slow down"), "on-demand capacity"),
        (ServiceError(400, "ConditionalCheckFailedException", body=b"?"), "cannot be understood"),
        (ServiceError(400, "TransactionCanceledException", body=b"{}"), "TransactionCanceledException"),
    ],
)
async def test_what_may_pass_is_a_state_error(error, said):
    with pytest.raises(StateError, match=said) as failed:
        await DynamoDBFleet(answering(error), "poller").stored()
    assert not isinstance(failed.value, Refused)


@pytest.mark.parametrize(
    ("code", "said"),
    [("AccessDeniedException", "see `poller iam-policy`"), ("ResourceNotFoundException", "poller state migrate")],
)
async def test_what_a_person_must_change_is_told_with_what_to_do(code, said):
    with pytest.raises(Refused, match=said):
        await DynamoDBFleet(answering(ServiceError(400, code, "no")), "poller").stored()


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({"KeySchema": KEYS["KeySchema"], "Replicas": [{"RegionName": "eu-west-3"}]}, "is a global table"),
        ({"TableStatus": "CREATING"}, "is still being made"),
    ],
)
async def test_a_table_is_judged_by_what_is_said_of_it(described, said):
    with pytest.raises((EnvironmentProblem, StateError), match=said):
        await judge(answering(json.dumps({"Table": described}).encode()))


@pytest.mark.real_time
async def test_a_service_that_cannot_be_reached_is_away(credentials):
    with pytest.raises(StoreAway, match="cannot be reached"):
        async with opened(AwsSettings(endpoint_url="http://127.0.0.1:1"), "table", REGION, "poller"):
            pass


@pytest.mark.parametrize(
    "url", ["dynamodb://t", "dynamodb://ta", "dynamodb://table?region=", "dynamodb://a/b?region=x"]
)
def test_a_url_that_names_no_table_or_no_region_is_refused(url, tmp_path, capsys):
    (tmp_path / "poller.yaml").write_text(f"state: '{url}'\n")
    with pytest.raises(SystemExit) as ended:
        main(["check", "--allow-empty", "--config", str(tmp_path / "poller.yaml")])
    assert ended.value.code == 2
    assert "dynamodb://TABLE?region=REGION" in capsys.readouterr().err
