"""The order of the changes of one stream, beside the server's tokens, which say nothing to us.

A change's place is its cluster time, then its number among the changes of that time (those of one transaction share
it), then how often the server has said since that nothing more came. The same changes get the same places whenever they
are read again from the same position, because a stream tells them in the same order.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple

import bson
from bson.timestamp import Timestamp

from poller.policy.positions import place, token_of, with_token

_BITS = 32
_MASK = (1 << _BITS) - 1
_PLAIN = re.compile(r"[0-9A-Za-z]+")
_OTHER = "."
"""Begins the text of a token that is more than one string."""


class Order(NamedTuple):
    """Compares as the changes follow each other."""

    time: int
    """Cluster time: the seconds, and in the lower 32 bits the increment."""
    nth: int
    """Among the changes of this time, from 0."""
    passes: int
    """How often nothing more came since."""

    def following(self, time: int | None) -> "Order":
        """The place of the next change. A time that is missing, or goes back, counts as the last one."""
        if time is None or time <= self.time:
            return Order(self.time, self.nth + 1, 0)
        return Order(time, 0, 0)

    def passed(self) -> "Order":
        """The place behind the last change and before the next one."""
        return self._replace(passes=self.passes + 1)

    def position(self, token: Mapping[str, Any] | None = None) -> str:
        """As it is stored. Without a token, reading continues at the first change after its time."""
        number = (self.time << 2 * _BITS) | (self.nth << _BITS) | self.passes
        return with_token(number, "" if token is None else token_text(token))


BEGINNING = Order(0, 0, 0)


def order_of(position: str) -> Order:
    """The place that a stored position stands for."""
    number = place(position)[0]
    return Order(number >> 2 * _BITS, (number >> _BITS) & _MASK, number & _MASK)


def cluster_time(value: Any) -> int | None:
    """A BSON timestamp as a number; None for anything else."""
    return (value.time << _BITS) | value.inc if isinstance(value, Timestamp) else None


def timestamp(time: int) -> Timestamp:
    """The BSON timestamp of a cluster time."""
    return Timestamp(time >> _BITS, time & _MASK)


def seconds(time: int) -> float:
    """Of a cluster time, since the epoch."""
    return float(time >> _BITS)


def token_text(token: Mapping[str, Any]) -> str:
    """A resume token as text: its `_data`, as events show it, where it has nothing else."""
    data = token.get("_data")
    if len(token) == 1 and isinstance(data, str) and _PLAIN.fullmatch(data):
        return data
    return _OTHER + urlsafe_b64encode(bson.encode(token)).decode()


def resume_token(position: str) -> Mapping[str, Any] | None:
    """The resume token of a stored position; None for one without. Raises ValueError for a damaged one."""
    text = token_of(position)
    if not text.startswith(_OTHER):
        return {"_data": text} if text else None
    try:
        token: dict[str, Any] = bson.decode(urlsafe_b64decode(text.removeprefix(_OTHER)))
    except bson.errors.BSONError as error:
        raise ValueError(str(error)) from error
    return token
