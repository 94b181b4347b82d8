"""What is kept in the store beside positions, for people: failed events, and how far a redrive came."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing that is kept. Whoever keeps it bounds how many there are, and how large."""

    room: str
    """What kind of thing it is: `failed`, `redrive`, `redrive-leave`."""
    id: str
    at: float
    """Epoch seconds."""
    about: str
    """JSON that is listed."""
    body: str = ""
    """What is read only where one thing is asked for; at most `LARGEST_BODY` characters of ASCII."""


LARGEST_BODY = 256 * 1024
"""An item of DynamoDB has at most 400 KB."""
