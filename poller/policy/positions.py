"""Positions in a shard: a sequence number, or a place inside an aggregate.

A producer may pack many records into one record of the stream (an aggregate), and poller unpacks them. Inner records
share the outer sequence number, so their position has a second number behind it:

    4959:0  4959:1  4959:2  4959

The last record of an aggregate has the outer number itself, which covers everything inside. An aggregate that is not
unpacked has it too, so a position inside an aggregate never covers the whole one.
"""

from math import inf

INSIDE = ":"


def inside(sequence_number: str, index: int) -> str:
    """The position of an inner record that is not the last; `index` counts from 0."""
    return f"{sequence_number}{INSIDE}{index}"


def is_inside(position: str) -> bool:
    """Whether the position covers only a part of an aggregate, so that the aggregate has to be read again."""
    return INSIDE in position


def sequence_number_of(position: str) -> str:
    """The outer sequence number, as the stream and the function know it."""
    return position.partition(INSIDE)[0]


def place(position: str) -> tuple[int, float]:
    """A key for comparisons: sequence numbers are numbers of different lengths."""
    number, _, index = position.partition(INSIDE)
    return int(number), int(index) if index else inf
