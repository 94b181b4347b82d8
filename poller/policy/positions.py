"""Where something is in a shard: a sequence number, or a place inside of one that holds several records.

Producers may pack many records into one of the stream's (an aggregate), which are taken apart again. Inner records
share the outer sequence number, so their place has a second number behind it:

    4959:0  4959:1  4959:2  4959

The last of an aggregate is at the outer number itself, which covers everything inside. A record that was not taken
apart is there too, so that a position inside an aggregate never covers what is now handed over whole.
"""

from math import inf

INSIDE = ":"


def inside(sequence_number: str, index: int) -> str:
    """The place of an inner record that is not the last; `index` counts from 0."""
    return f"{sequence_number}{INSIDE}{index}"


def is_inside(position: str) -> bool:
    """Whether it covers a part of an aggregate, so that the aggregate has to be read once more."""
    return INSIDE in position


def sequence_number_of(position: str) -> str:
    """What the stream and the function know it by."""
    return position.partition(INSIDE)[0]


def place(position: str) -> tuple[int, float]:
    """For comparing: sequence numbers are numbers, of differing length."""
    number, _, index = position.partition(INSIDE)
    return int(number), int(index) if index else inf
