"""Positions in a shard: a sequence number, a place inside an aggregate, or a number with a token.

A producer may pack many records into one record of the stream (an aggregate), and poller unpacks them. Inner records
share the outer sequence number, so their position has a second number behind it:

    4959:0  4959:1  4959:2  4959

The last record of an aggregate has the outer number itself, which covers everything inside. An aggregate that is not
unpacked has it too, so a position inside an aggregate never covers the whole one.

Where a service knows its records by opaque tokens, a position is a number of poller's own, which gives the order, with
the token behind it: `4959@0163eeb6e7`. The service continues at the token, and a function names the record by it.
"""

from math import inf

INSIDE = ":"
MARK = "@"


def inside(sequence_number: str, index: int) -> str:
    """The position of an inner record that is not the last; `index` counts from 0."""
    return f"{sequence_number}{INSIDE}{index}"


def is_inside(position: str) -> bool:
    """Whether the position covers only a part of an aggregate, so that the aggregate has to be read again."""
    return INSIDE in position


def sequence_number_of(position: str) -> str:
    """The outer sequence number, as the stream and the function know it."""
    return position.partition(INSIDE)[0]


def with_token(number: int, token: str) -> str:
    """The position of a record that its service knows by a token; `number` gives the order."""
    return f"{number}{MARK}{token}"


def token_of(position: str) -> str:
    """The token of a position; empty for one without."""
    return position.partition(MARK)[2]


def item_identifier(position: str) -> str:
    """What a function names the record by in a partial batch response."""
    return token_of(position) or sequence_number_of(position)


def place(position: str) -> tuple[int, float]:
    """A key for comparisons: sequence numbers are numbers of different lengths."""
    number, _, index = position.partition(MARK)[0].partition(INSIDE)
    return int(number), int(index) if index else inf
