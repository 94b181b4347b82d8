"""`poller cutover`: the position is stored before the daemon starts, and nothing is changed where that cannot be."""

import io
import json
import zipfile

import pytest

from poller.cli.main import main

pytestmark = [pytest.mark.live, pytest.mark.heavy]


@pytest.fixture
def code():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", "def handler(event, context): return None")
    return archive.getvalue()


@pytest.fixture
def made(ministack, code, monkeypatch):
    """A stream, a queue, and a mapping of each in the local Lambda."""
    for name, value in ministack.environment().items():
        monkeypatch.setenv(name, value)
    ministack.client("kinesis").create_stream(StreamName="clicks", ShardCount=1)
    ministack.create_queue("orders")
    lambdas = ministack.client("lambda")
    lambdas.create_function(
        FunctionName="count",
        Runtime="python3.11",
        Handler="app.handler",
        Role=f"arn:aws:iam::{ministack.account}:role/r",
        Code={"ZipFile": code},
    )
    arns = {
        "clicks": f"arn:aws:kinesis:{ministack.region}:{ministack.account}:stream/clicks",
        "orders": ministack.queue_arn("orders"),
    }
    more = {"clicks": {"StartingPosition": "TRIM_HORIZON"}, "orders": {}}
    return {
        name: (
            arn,
            lambdas.create_event_source_mapping(EventSourceArn=arn, FunctionName="count", **more[name])["UUID"],
        )
        for name, arn in arns.items()
    }


@pytest.fixture
def poller(made, tmp_path, capsys):
    config = tmp_path / "poller.json"
    entries = [
        {"name": name, "event_source_arn": arn, "function_name": "f"}
        | ({"uuid": uuid} if name == "orders" else {"starting_position": "LATEST"})
        for name, (arn, uuid) in made.items()
    ]
    functions = {"f": {"type": "http", "url": "http://127.0.0.1:1"}}
    whole = {"state": f"sqlite:///{tmp_path}/state.db", "functions": functions, "event_source_mappings": entries}
    config.write_text(json.dumps(whole))

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--config", str(config)])
        said = capsys.readouterr()
        return ended.value.code or 0, said.out + said.err

    return run


def state_of(ministack, uuid):
    return ministack.client("lambda").get_event_source_mapping(UUID=uuid)["State"]


def test_a_stream_ends_there_and_begins_here_once(ministack, made, poller):
    uuid = made["clicks"][1]
    code, said = poller("cutover", uuid)
    assert code == 2
    assert "the configuration has no mapping for it" in said
    cut = ("cutover", uuid, "--mapping", "clicks", "--age", "600")
    code, said = poller(*cut, "--dry-run")
    assert (code, state_of(ministack, uuid)) == (0, "Enabled")
    assert "it would be disabled, and clicks begin here" in said
    code, said = poller(*cut)
    assert code == 0
    assert state_of(ministack, uuid) == "Disabled"
    assert "what Lambda processed in its last 660 s is delivered twice. Start the daemon" in said
    assert "clicks" in poller("state", "list")[1]
    code, said = poller(*cut)
    assert code == 69
    assert "clicks has a position already; nothing was changed" in said


def test_a_queue_ends_there_and_needs_no_position(ministack, made, poller):
    uuid = made["orders"][1]
    code, said = poller("cutover", uuid)
    assert (code, state_of(ministack, uuid)) == (0, "Disabled")
    assert "start the daemon, and orders reads the queue" in said
    assert poller("state", "list")[1] == "no position is stored\n"
