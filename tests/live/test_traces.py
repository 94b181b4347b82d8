"""Traces leave the real daemon by OTLP, to where the standard variables say."""

import json

import pytest

from tests.live.daemon import configuration, running, until
from tests.servers.process import free_port
from tests.servers.threaded import Handler, ThreadedServer

pytestmark = [pytest.mark.live, pytest.mark.heavy]


class Collector(Handler):
    """Takes spans, and answers as a function does."""

    server: "Collecting"

    def do_POST(self):  # noqa: N802 - the base class calls it so
        body = self.body()
        with self.server.lock:
            self.server.asked.append((self.path, dict(self.headers), body))
        self.answer(200)


class Collecting(ThreadedServer):
    def __init__(self):
        super().__init__(Collector)
        self.asked: list[tuple[str, dict[str, str], bytes]] = []


@pytest.fixture
def collector():
    with Collecting() as server:
        yield server


def test_spans_of_what_was_delivered_are_exported_by_the_end(ministack, collector, tmp_path):
    url = ministack.create_queue("orders")
    path = configuration(
        tmp_path,
        {"name": "m", "event_source_arn": ministack.queue_arn("orders"), "function_name": "f"},
        functions={"f": {"type": "http", "url": f"{collector.url}/f"}},
        telemetry={"traces": "otlp"},
    )
    ministack.send(url, json.dumps({"kept": "from spans"}))
    environment = ministack.environment() | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "shop"}
    with running(path, environment) as daemon:
        daemon.wait_for_log("source_reached")
        until(lambda: daemon.status()["m"]["counters"]["delivered"] == 1, "the message to be delivered")
        daemon.stop(hard=True)
    (invoked,) = [headers for asked, headers, _ in collector.asked if asked == "/f"]
    spans = b"".join(body for asked, _, body in collector.asked if asked == "/v1/traces")
    for said in (b"process orders", b"invoke f", b"shop", trace_id(invoked)):
        assert said in spans
    assert b"from spans" not in spans
    assert invoked["traceparent"].startswith(f"00-{trace_id(invoked).hex()}-")


@pytest.mark.slow
def test_a_collector_that_is_not_there_costs_neither_messages_nor_the_stop(ministack, collector, tmp_path):
    url = ministack.create_queue("orders")
    path = configuration(
        tmp_path,
        {"name": "m", "event_source_arn": ministack.queue_arn("orders"), "function_name": "f"},
        functions={"f": {"type": "http", "url": f"{collector.url}/f"}},
        telemetry={"traces": "otlp"},
    )
    ministack.send(url, "x")
    nowhere = f"http://127.0.0.1:{free_port()}"
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": nowhere, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with running(path, ministack.environment() | environment) as daemon:
        until(lambda: daemon.status()["m"]["counters"]["delivered"] == 1, "the message to be delivered")
        daemon.wait_for_log("library_message", logger="opentelemetry.exporter.otlp.proto.http.trace_exporter")
        # its next attempts are seconds away, and no exporter holds the end of the process up
        daemon.stop(hard=True)
    assert not [line for line in daemon.lines if "Traceback" in line]


def trace_id(headers):
    """Of the X-Ray header the function was sent, as spans have it."""
    root = headers["x-amzn-trace-id"].partition(";")[0].removeprefix("Root=1-")
    return bytes.fromhex(root.replace("-", ""))
