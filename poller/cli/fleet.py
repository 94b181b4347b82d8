"""`poller fleet`: the daemons that share their streams, what each holds, and which shards moved and why."""

from typing import Any

from poller.cli.client import Client, NoAnswer
from poller.cli.output import clock, console, table
from poller.support.printable import say, say_json

Json = dict[str, Any]
CAUSES = {
    "claimed": "taken from {other}",
    "given": "given to {other}",
    "lost": "lost to {other}",
}
SHOWN = 20
"""Maximum of moves that are listed."""


def show(client: Client, *, as_json: bool) -> None:
    """Print it. Raises NoAnswer, also where the daemon is in no fleet."""
    status = client.status()
    fleet = status["fleet"]
    if fleet is None:
        raise NoAnswer(
            f"the poller at {client.address} is by itself; `fleet` in its configuration makes it one of several"
        )
    if as_json:
        say_json(fleet)
        return
    say(f"fleet {fleet['name']}, seen by {fleet['member']}")
    if fleet["suspended_since"] is not None:
        say(f"suspended since {clock(fleet['suspended_since'])}: the store does not answer, so nothing begins here")
    members = table("member", "shards", "state", "version", "id")
    for one in fleet["members"]:
        here = " (here)" if one["id"] == fleet["id"] else ""
        members.add_row(one["name"] + here, str(one["shards"]), one["state"], one["version"], one["id"])
    console().print(members)
    store = fleet["store"]
    mean = "" if store["mean_seconds"] is None else f", {1000 * store['mean_seconds']:.1f} ms on average"
    rate = "" if store["writes_a_minute"] is None else f", {store['writes_a_minute']:,g} a minute now"
    writes = f"{store['writes']:,} of them writes{rate}"
    say(f"store: {store['succeeded']:,} calls{mean}, {writes}; {store['failed']:,} failed")
    names = {mapping["uuid"]: mapping["name"] for mapping in status["mappings"]}
    for move in fleet["moves"][:SHOWN]:
        cause = CAUSES[move["cause"]].format(other=move["other"] or "nobody in particular")
        say(f"  {clock(move['at'])} {names.get(move['mapping'], move['mapping'])} {move['shard']}: {cause}")
