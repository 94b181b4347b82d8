"""Shows the events of `poller dev` as they pass."""

import json
from datetime import UTC, datetime
from typing import Any

from poller.configuration import EventSourceMapping
from poller.engine.judging import judge
from poller.policy.response import Outcome
from poller.ports.function import Function
from poller.sources.kinds import KINDS
from poller.support.printable import say
from poller.values.texts import counted

RECORDS_MOST = 5
"""Records of one event that are shown."""
SHOWN_MOST = 160
"""Characters of a record."""


class Watched:
    """A function that shows each event and what became of it."""

    def __init__(self, function: Function, mapping: EventSourceMapping) -> None:
        self.name = function.name
        self.payload_limit = function.payload_limit
        self.timeout = function.timeout
        self.refresh = function.refresh
        self.close = function.close
        self._function = function
        self._mapping = mapping

    async def invoke(self, event: bytes, trace: str | None = None) -> Outcome:
        """Invoke the function, and say what came of it."""
        import asyncio  # noqa: PLC0415

        began = asyncio.get_running_loop().time()
        outcome = await self._function.invoke(event, trace)
        milliseconds = 1000 * (asyncio.get_running_loop().time() - began)
        records = records_of(event)
        count = counted(len(records), "record")
        said = judge(outcome, event, partial=self._mapping.report_batch_item_failures and bool(records)).lines[0]
        clock = datetime.now(UTC).astimezone().strftime("%H:%M:%S")
        say(f"{clock} {self._mapping.name} -> {self.name}: {count}, {milliseconds:,.0f} ms, {said}", flush=True)
        for record in records[:RECORDS_MOST]:
            say(f"         {shown(record)}", flush=True)
        if len(records) > RECORDS_MOST:
            say(f"         and {len(records) - RECORDS_MOST:,} more", flush=True)
        return outcome


def records_of(event: bytes) -> list[dict[str, Any]]:
    """The records of an event that a source made; a window's last event has none."""
    records = json.loads(event).get("Records")
    return records if isinstance(records, list) else []


def shown(record: dict[str, Any]) -> str:
    """The payload of a record, in brief."""
    kind = next((kind for kind in KINDS.values() if kind.sign in record), None)
    try:
        payload = json.dumps(record) if kind is None else kind.split(record)[1]
    except ValueError:
        payload = json.dumps(record)
    text = payload.decode(errors="replace") if isinstance(payload, bytes) else payload
    return text if len(text) <= SHOWN_MOST else f"{text[:SHOWN_MOST]}…"
