"""`poller import kcl`: a lease table becomes the positions of a mapping, once."""

import json
from uuid import uuid4

import pytest

from poller.cli.main import main

pytestmark = pytest.mark.live


@pytest.fixture
def poller(ministack, monkeypatch, tmp_path, capsys):
    for name, value in ministack.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("poller.sources.kinesis.kcl.QUIET_SECONDS", 0.0)
    arn = f"arn:aws:%s:{ministack.region}:{ministack.account}:"
    mappings = [
        {"name": "clicks", "event_source_arn": arn % "kinesis" + "stream/clicks", "starting_position": "TRIM_HORIZON"},
        {"name": "orders", "event_source_arn": arn % "sqs" + "orders"},
    ]
    config = tmp_path / "poller.json"
    config.write_text(
        json.dumps(
            {
                "state": f"sqlite:///{tmp_path}/state.db",
                "functions": {"f": {"type": "http", "url": "http://127.0.0.1:1"}},
                "event_source_mappings": [mapping | {"function_name": "f"} for mapping in mappings],
            }
        )
    )

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--config", str(config)])
        said = capsys.readouterr()
        return ended.value.code or 0, said.out + said.err

    return run


@pytest.fixture
def table(ministack):
    """A lease table of a stream with one shard."""
    ministack.client("kinesis").create_stream(StreamName="clicks", ShardCount=1)
    client, name = ministack.client("dynamodb"), f"app-{uuid4()}"
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
    )
    lease = {
        "leaseKey": {"S": "shardId-000000000000"},
        "leaseCounter": {"N": "12"},
        "checkpoint": {"S": "49590338271490256608559692538361571095921575989136588898"},
        "checkpointSubSequenceNumber": {"N": "0"},
    }
    client.put_item(TableName=name, Item=lease)
    return name


def test_positions_are_taken_over_once_and_a_dry_run_stores_nothing(poller, table):
    code, said = poller("import", "kcl", table, "--mapping", "clicks", "--dry-run")
    assert (code, said) == (0, "clicks would go on in 1 shard: 1 at a position\n")
    assert poller("state", "list") == (0, "no position is stored\n")
    taking = ("import", "kcl", table, "--mapping", "clicks")
    assert poller(*taking) == (0, "clicks goes on in 1 shard: 1 at a position\n")
    assert "clicks" in poller("state", "list")[1]
    # again the same is stored already, so nothing is wrong
    assert poller(*taking)[0] == 0


def test_a_position_that_is_there_is_not_replaced(poller, table, ministack):
    taking = ("import", "kcl", table, "--mapping", "clicks")
    assert poller(*taking)[0] == 0
    key = {"leaseKey": {"S": "shardId-000000000000"}}
    ministack.client("dynamodb").update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET checkpoint = :c",
        ExpressionAttributeValues={":c": {"S": "49590338271490256608559692538361571095921575989136588899"}},
    )
    code, said = poller(*taking)
    assert code == 69
    assert "clicks has a position already, and nothing was stored" in said


@pytest.mark.parametrize(
    ("name", "told"), [("nobody", "has no such mapping"), ("orders", "KCL reads streams of Kinesis alone")]
)
def test_a_mapping_that_is_none_of_kinesis_is_refused(poller, name, told):
    code, said = poller("import", "kcl", "table", "--mapping", name)
    assert code == 2
    assert told in said
