"""Functions of a configuration behind the daemon's listener, for clients that are real."""

import asyncio
import json
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config

from poller.configuration import load
from poller.daemon.api.lambda_api.changes import ChangeOperations
from poller.daemon.api.lambda_api.functions import FunctionOperations
from poller.daemon.api.lambda_api.invoke import InvokeOperation
from poller.daemon.api.lambda_api.mappings import MappingOperations
from poller.daemon.api.server import serve
from poller.engine.app import Poller
from poller.state.memory.store import MemoryStore
from tests.daemon.samples import Reloading

PYTHON = """
import base64, json, os, sys, time
def handler(event, context):
    do = event.get("do")
    if do == "fail":
        raise ValueError("no such order")
    if do == "sleep":
        time.sleep(event["seconds"])
    if do == "exit":
        os._exit(3)
    if do == "large":
        return "x" * 6_300_000
    if do == "context":
        client = context.client_context
        return {"custom": client and client.custom, "env": client and client.env,
                "arn": context.invoked_function_arn, "id": context.aws_request_id}
    if do == "answer":
        return event["answer"]
    print("seen", json.dumps(event))
    return {"seen": event}
def echo(event, context):
    return {"statusCode": 200, "body": json.dumps({"seen": event})}
"""
NODE = """
const base = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/`;
const handler = async (event) => {
  if (event.do === "fail") throw new TypeError("no such order");
  console.log("seen by node");
  return { statusCode: 201, headers: { "x-of": "node" }, body: JSON.stringify({ seen: event }) };
};
(async () => {
  for (;;) {
    const next = await fetch(`${base}invocation/next`);
    const id = next.headers.get("lambda-runtime-aws-request-id");
    try {
      const answer = await handler(await next.json());
      await fetch(`${base}invocation/${id}/response`, { method: "POST", body: JSON.stringify(answer) });
    } catch (error) {
      const body = JSON.stringify({ errorType: error.name, errorMessage: error.message, trace: [] });
      await fetch(`${base}invocation/${id}/error`, { method: "POST", body });
    }
  }
})();
"""


class Served:
    """A running engine and its listener."""

    def __init__(self, running: Poller, url: str, path: Path) -> None:
        self.running = running
        self._path = path
        self.url = url
        session = botocore.session.Session()
        self._client = session.create_client(
            "lambda",
            endpoint_url=url,
            region_name="eu-west-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
        )

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A call of the SDK's client; a streamed payload is read."""
        answer: dict[str, Any] = await asyncio.to_thread(getattr(self._client, method), **parameters)
        if "Payload" in answer:
            answer["Payload"] = await asyncio.to_thread(answer["Payload"].read)
        return answer

    async def invokes(self) -> None:
        """Wait until an invocation runs."""
        async with asyncio.timeout(10):
            while not self.running.invoker.running:  # noqa: ASYNC110  (nothing tells that a request has arrived)
                await asyncio.sleep(0.01)

    def apply(self, functions: dict[str, Any]) -> None:
        """As a reload of the configuration does."""
        self._path.write_text(json.dumps({"functions": functions, "state": "memory:"}))
        self.running.apply(load([self._path], environ={}))

    def close(self) -> None:
        self._client.close()


@asynccontextmanager
async def served(directory: Path, functions: dict[str, Any], **settings: Any) -> AsyncIterator[Served]:
    """Serve functions, whose code is in `directory`."""
    (directory / "app.py").write_text(textwrap.dedent(PYTHON))
    (directory / "runtime.mjs").write_text(NODE)
    path = directory / "poller.json"
    path.write_text(json.dumps({"functions": functions, "state": "memory:", **settings}))
    configuration = load([path], environ={}, overrides={"api": {"listen": "127.0.0.1:0"}})
    async with Poller(configuration, store=MemoryStore()) as running:
        operations = [
            *FunctionOperations(running.invoker, 1_767_225_600.0).operations(),
            InvokeOperation(running.invoker).operation(),
            *MappingOperations(running.catalog, 1_767_225_600.0).operations(),
            *ChangeOperations(running.catalog, running.looking, 1_767_225_600.0).operations(),
        ]
        api = configuration.settings.api
        async with serve(
            running.status, api, running.steering, Reloading(), operations=operations, invoker=running.invoker
        ) as url:
            found = Served(running, url, path)
            try:
                yield found
            finally:
                found.close()


def python(**keys: Any) -> dict[str, Any]:
    return {"type": "runtime", "handler": "app.handler", "code": ".", **keys}
