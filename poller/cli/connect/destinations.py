"""Reaches a destination without sending anything: asks whether it exists, as far as the permissions allow."""

from poller.aws.transports import Transports
from poller.cli.connect.tries import Tries
from poller.configuration import EventSourceMapping
from poller.destinations.kinds import kind_of


async def reach_destination(mapping: EventSourceMapping, arn: str, transports: Transports, tries: Tries) -> None:
    """Note the answer in `tries`."""
    kind = kind_of(arn)
    tries.untried.append(f"{kind.send_action} (it would send something)")
    await tries.ask(kind.look_action, lambda: kind.look(mapping, arn, transports))
