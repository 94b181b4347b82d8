"""Checks received messages: those that can be delivered are made whole, the others are named in the log.

A message without a receipt handle could never be deleted, so it is not delivered.
"""

from typing import Any

from poller.ports.status import Account
from poller.sources.sqs.message import Message, is_whole, made_whole, name_of
from poller.support.rate_limited_log import RateLimitedLog

MOST_NAMED = 1000
"""How many messages that cannot be delivered are remembered, so that each is named once."""


class Intake:
    """Checks the messages of one queue."""

    def __init__(self, account: Account, log: RateLimitedLog, *, fifo: bool) -> None:
        self._account = account
        self._log = log
        self._fifo = fifo
        self._named: dict[str, None] = {}
        """Ids of messages that could not be delivered and were named in the log."""

    def whole(self, messages: list[Any], now: float) -> list[Message]:
        """The messages of a receive that can be delivered. The others become visible again by their timeout."""
        if is_whole(messages, fifo=self._fifo):
            return messages
        made = [made_whole(one) for one in messages]
        refused = [name_of(given) for given, message in zip(messages, made, strict=True) if message is None]
        self._account.polled += len(refused)
        self._account.returned += len(refused)
        if new := [name for name in refused if name not in self._named]:
            self._named |= dict.fromkeys(new)
            for name in [*self._named][:-MOST_NAMED]:
                del self._named[name]
            text = "messages without a receipt handle cannot be deleted, and are not delivered; the others are"
            self._log.repeating("messages_not_deliverable", now, text=text, message_ids=new)
        return [message for message in made if message is not None]
