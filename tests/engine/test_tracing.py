"""Traces: a span for each batch and one for each invocation, in the trace of the messages; and nothing where off."""

import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from poller.configuration import load
from poller.engine.tracing import Tracing, as_xray, parse_w3c, parse_xray
from poller.runtime.supervisor import run_mapping
from poller.values.errors import ConfigurationError
from tests.fakes.lambda_service import function_error, throttled
from tests.journeys.streams.test_peers import fill
from tests.journeys.streams.world import StreamLife, StreamWorld
from tests.journeys.world import Life, World
from tests.present import present

TRACE, SPAN = "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
XRAY = f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={SPAN};Sampled=1"
W3C = f"00-{TRACE}-{SPAN}-01"
OTHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def exported(tracing, exporter):
    """What was ended so far. Its thread knows nothing of virtual time, so that it is not awaited."""
    tracing.shutdown()
    return exporter.get_finished_spans()


class Traced:
    """A queue polled with traces on, and what came of it."""

    def __init__(self):
        self.world = World()
        self.headers = []
        self.world.aws.intercept(self._noting)
        self._exporter = InMemorySpanExporter()
        self._tracing = Tracing(self._exporter)

    async def _noting(self, call, operation, body, timeout=None, *, trace=None, room=None):  # noqa: ASYNC109 - the port's own
        if operation.name == "Invoke":
            self.headers.append(trace)
        return await call(operation, body, timeout, trace=trace, room=room)

    async def deliver(self, **parameters):
        """Deliver all there is; batches and invocations as spans, in order of their ends."""
        life = Life(self.world, self.world.mapping(**parameters), traces=self._tracing)
        await self.world.until_empty(3600)
        await life.end()
        self.world.check()
        spans = exported(self._tracing, self._exporter)
        return [one for one in spans if one.kind is SpanKind.CONSUMER], [
            one for one in spans if one.kind is SpanKind.CLIENT
        ]


async def test_a_batch_is_a_span_from_receive_to_settle_and_its_invocation_one_within():
    traced = Traced()
    for number in range(3):
        traced.world.queue.send(f"{number}")
    batches, invocations = await traced.deliver(batch_size=10, maximum_batching_window_in_seconds=1)
    (batch,), (invocation,) = batches, invocations
    assert batch.name == "process q"
    assert batch.attributes["messaging.batch.message_count"] == 3
    assert batch.attributes["poller.mapping"] == "m"
    assert invocation.parent.span_id == batch.context.span_id
    assert batch.start_time <= invocation.start_time <= invocation.end_time <= batch.end_time
    assert batch.resource.attributes["service.name"] == "poller"


async def test_the_function_is_told_the_invocation_s_own_span():
    traced = Traced()
    traced.world.queue.send("x")
    _, (invocation,) = await traced.deliver()
    assert traced.headers == [as_xray(invocation.context)]


@pytest.mark.parametrize("said", [{"trace_header": XRAY}, {"attributes": {"traceparent": W3C}}], ids=["x-ray", "w3c"])
async def test_a_batch_whose_messages_name_one_trace_joins_it(said):
    traced = Traced()
    for number in range(2):
        traced.world.queue.send(f"{number}", **said)
    (batch,), (invocation,) = await traced.deliver(batch_size=2, maximum_batching_window_in_seconds=1)
    assert f"{batch.context.trace_id:032x}" == f"{invocation.context.trace_id:032x}" == TRACE
    assert f"{batch.parent.span_id:016x}" == SPAN
    assert f"Root=1-{TRACE[:8]}-{TRACE[8:]};" in traced.headers[0]


async def test_a_batch_of_several_traces_is_one_of_its_own_with_a_link_to_each():
    traced = Traced()
    for said in ({"traceparent": W3C}, {"traceparent": OTHER}, {"traceparent": "rubbish"}, {}):
        traced.world.queue.send("x", attributes=said)
    (batch,), _ = await traced.deliver(batch_size=4, maximum_batching_window_in_seconds=1)
    assert batch.parent is None
    assert {f"{link.context.trace_id:032x}" for link in batch.links} == {TRACE, OTHER.split("-")[1]}


async def test_what_went_wrong_stands_in_the_spans():
    traced = Traced()
    traced.world.queue.send("x")
    traced.world.function.script(throttled(), function_error())
    batches, invocations = await traced.deliver()
    assert [one.attributes.get("error.type") for one in invocations] == ["throttled", "function_error", None]
    assert [one.status.status_code for one in invocations] == [StatusCode.ERROR, StatusCode.ERROR, StatusCode.UNSET]
    assert [one.attributes.get("poller.returned") for one in batches] == [None, None]
    assert [event.name for event in batches[0].events] == ["batch failed"]


async def test_a_stream_is_traced_too_with_its_retries_in_one_batch():
    world, exporter = StreamWorld(), InMemorySpanExporter()
    tracing = Tracing(exporter)

    class TracedLife(StreamLife):
        async def _run(self, mapping):
            log: Any = self.log
            wired = await self.wiring.mapping(mapping, self.status, self.stop, log)
            source = tracing.source(wired.source, mapping="m", system="aws_kinesis", name="s")
            wired.context.function = tracing.function(wired.context.function)
            await run_mapping(source, wired.context, log)

    world.function.script(function_error())
    life = TracedLife(world, world.mapping())
    fill(world, 10)
    await world.until_done()
    await life.end()
    world.check()
    spans = exported(tracing, exporter)
    batches = [one for one in spans if one.kind is SpanKind.CONSUMER]
    assert sum(one.attributes["messaging.batch.message_count"] for one in batches) == 10
    failed = next(one for one in spans if one.status.status_code is StatusCode.ERROR)
    retried = [one for one in spans if one.parent and one.parent.span_id == failed.parent.span_id]
    assert len(retried) == 2
    assert {one.attributes["messaging.system"] for one in batches} == {"aws_kinesis"}


@pytest.mark.parametrize(
    "text", ["", "Root=1-5759e988-bd862e3fe1be46a994272793", "Root=x;Parent=y", f"Self=1;{XRAY[5:]}"]
)
def test_an_x_ray_header_without_a_parent_names_no_span(text):
    assert parse_xray(text) is None


@pytest.mark.parametrize("text", ["", "00-0-0-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", W3C + "x"])
def test_what_is_no_traceparent_names_no_span(text):
    assert parse_w3c(text) is None


def test_a_header_is_read_as_it_is_written():
    found = present(parse_xray(XRAY))
    assert as_xray(found) == XRAY
    assert found == parse_w3c(W3C)
    assert as_xray(present(parse_xray(XRAY.replace("Sampled=1", "Sampled=0")))).endswith("Sampled=0")


def test_without_traces_nothing_of_it_is_loaded():
    script = (
        "import sys, poller.daemon.run, poller.engine.parts; print([m for m in sys.modules if 'opentelemetry' in m])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


def test_traces_without_the_extra_are_refused_with_what_to_do(tmp_path, monkeypatch):
    path = tmp_path / "poller.yaml"
    path.write_text("telemetry: {traces: otlp}\n")
    assert load([path], environ={}).settings.telemetry.traces == "otlp"
    monkeypatch.setattr("poller.configuration.model.telling.is_installed", lambda *_: False)
    with pytest.raises(ConfigurationError, match=r"telemetry.traces: is otlp, which needs OpenTelemetry: pip install "):
        load([path], environ={})


async def test_without_traces_nothing_stands_between_source_function_and_lane():
    world = World()
    life = Life(world, world.mapping())
    log: Any = life.log
    wired = await life.wiring.mapping(world.mapping(), life.status, life.stop, log)
    assert (type(wired.source).__module__, type(wired.context.function).__module__) == (
        "poller.sources.sqs.source",
        "poller.functions.lambda_api.function",
    )
    await life.end()
