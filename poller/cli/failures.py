"""`poller failures`: shows the failures of functions, grouped by cause, the latest first."""

from collections.abc import Iterator
from typing import Any

from poller.cli.client import Client, NoAnswer
from poller.cli.output import clock
from poller.daemon.api.failures import missing
from poller.support.printable import say
from poller.values.texts import counted

Json = dict[str, Any]


def show(client: Client, mapping: str | None) -> None:
    """Print the failures. Raises NoAnswer, also for a mapping that the daemon does not have."""
    told = client.failures()
    mappings = told["mappings"]
    if mapping is not None:
        names = ", ".join(entry["name"] for entry in mappings) or "none"
        mappings = [entry for entry in mappings if mapping in (entry["name"], entry["uuid"])]
        if not mappings:
            raise NoAnswer(f"the poller at {client.address} has no mapping {mapping}; it has: {names}")
    failed = [entry for entry in mappings if entry["groups"] or entry["kept"]]
    if not failed:
        say("no function has failed since the daemon's start")
    for number, entry in enumerate(failed):
        if number:
            say("")
        for line in _lines(entry):
            say(line)
    for line in missing(told):
        say(line)


def _lines(mapping: Json) -> Iterator[str]:
    yield f"{mapping['name']} ({mapping['function']})"
    for group in mapping["groups"]:
        first, last, smallest = group["first"], group["last"], group["smallest"]
        times = "once" if group["count"] == 1 else f"{group['count']:,} times"
        span = clock(first["at"]) if group["count"] == 1 else f"{clock(first['at'])} to {clock(last['at'])}"
        where = f", on {', '.join(group['members'])}" if group.get("members") else ""
        yield f"  {group['error']}, {times}, {counted(group['records'], 'record')}, {span}{where}"
        if group["began"]:
            yield f"    {group['began']}"
        if last["text"]:
            yield f"    {last['text']}"
        if smallest["first_record"] is not None:
            records = counted(smallest["records"], "record") + ("" if smallest["records"] == 1 else " from")
            yield f"    smallest batch that failed: {records} {smallest['first_record']} of {smallest['partition']}"
        if last["request_id"]:
            yield f"    last request: {last['request_id']}"
        for line in last["logs"]:
            yield f"      {line}"
    if mapping["kept"]:
        yield "  failed events that are kept, for `poller rerun ID`:"
    for event in mapping["kept"]:
        first = "" if event["first_record"] is None else f" from {event['first_record']} of {event['partition']}"
        hidden = f", {counted(event['redacted'], 'value')} redacted" if event["redacted"] else ""
        records = counted(event["records"], "record")
        yield f"    {event['id']}  {clock(event['at'])}  {event['error']}, {records}{first}{hidden}"
    if mapping["forgotten"]:
        yield f"  and {counted(mapping['forgotten'], 'older cause')}, no longer kept"
