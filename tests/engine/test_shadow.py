"""A shadow invokes a second function with the records of a stream, and moves nothing; so does a dry run, without it."""

import asyncio
from dataclasses import replace
from typing import Any

from poller.cli.dry_run import DryFunction, DryReader, dry, opened
from poller.configuration.watching import Reader
from poller.state.memory.store import MemoryStore
from poller.state.sqlite.store import SqliteState
from tests.engine.house import House, living
from tests.engine.test_seek import delivered
from tests.fakes.lambda_service import function_error


async def test_a_shadow_gets_what_the_mapping_gets_and_nothing_of_it_is_stored():
    store = MemoryStore()
    house = House(store)
    stream = house.aws.stream("s", 2)
    given: dict[str, Any] = {"stream": stream, "starting_position": "TRIM_HORIZON"}
    shadow = house.mapping("shadow", function="other", shadow=True, maximum_retry_attempts=0, **given)
    async with living(house.mapping("a", **given), shadow, house=house):
        house.aws.functions["other"].handler = lambda _: function_error()
        for number in range(20):
            stream.put(f"key {number}", str(number))
        await asyncio.sleep(60)
        assert (house.of("a").account.delivered, house.of("shadow").account.dropped) == (20, 20)
        assert {name for name, _ in (await store.stored()).values()} == {"a"}
        house.mappings.apply([house.mapping("a", **given)])
        await asyncio.sleep(30)
        assert [*house.wiring.builders] == ["kinesis"]
        again = replace(shadow, name="again", uuid="another")
        house.mappings.apply([house.mapping("a", **given), again])
        await asyncio.sleep(60)
        assert house.of("again").account.polled == 20


YAML = """
state: sqlite:///{folder}/state.db
api: {{listen: "127.0.0.1:8642"}}
event_source_mappings:
  - {{name: orders, event_source_arn: "arn:aws:sqs:eu-west-1:123456789012:orders", function_name: ship}}
  - name: clicks
    event_source_arn: {stream}
    function_name: count
    starting_position: TRIM_HORIZON
    destination_config: {{on_failure: {{destination: "arn:aws:sqs:eu-west-1:123456789012:failed"}}}}
"""


async def test_a_dry_run_goes_on_where_the_daemon_is_invokes_nothing_and_leaves_the_state_alone(tmp_path, capsys):
    house: Any = House()
    stream = house.aws.stream("s")
    (tmp_path / "poller.yaml").write_text(YAML.format(folder=tmp_path, stream=stream.arn), encoding="utf-8")
    reader = DryReader([tmp_path / "poller.yaml"], {})
    configuration = reader.read()
    queue, clicks = configuration.mappings
    assert (configuration.settings.state, configuration.settings.api.listen) == ("memory:", "127.0.0.1:0")
    assert (queue.enabled, clicks.enabled, clicks.on_failure_destination) == (False, True, None)
    numbers = [stream.put("key", str(number)) for number in range(5)]
    real = house.mapping("clicks", stream=stream, uuid=clicks.uuid, starting_position="TRIM_HORIZON", batch_size=2)
    state = await SqliteState.opened(tmp_path / "state.db")
    house = House(state, house.aws)
    async with living(real, house=house):
        await asyncio.sleep(10)
        assert delivered(house) == numbers
    state.close()
    before = (tmp_path / "state.db").read_bytes()
    plain = Reader([tmp_path / "poller.yaml"], {}).read()
    store = await asyncio.to_thread(opened, configuration, plain)
    assert "orders rests" in capsys.readouterr().err
    for number in range(3):
        stream.put("key", str(number))
    again: Any = House(store, house.aws, watch=DryFunction)
    async with living(dry(real), house=again) as log:
        await asyncio.sleep(10)
        assert (again.of("clicks").account.delivered, len(again.invoked().all)) == (3, len(house.invoked().all))
        assert [line["mapping"] for line in log if line["event"] == "dry_run_batch"] == ["clicks"] * 2
    assert (tmp_path / "state.db").read_bytes() == before
