"""Ids and dates of the fakes' answers: a story makes hundreds of thousands of them, so they have to be cheap."""

import itertools
from email.utils import formatdate
from functools import lru_cache

_numbers = itertools.count(1)


def new_id() -> str:
    """In the form of a UUID; never the same twice in this process."""
    return f"00000000-0000-4000-8000-{next(_numbers):012x}"


def new_token() -> str:
    """32 hexadecimal digits; never the same twice in this process."""
    return f"{next(_numbers):032x}"


def http_date(at: float) -> str:
    """`at` is in epoch seconds."""
    return _of_second(int(at))


@lru_cache(maxsize=16)
def _of_second(second: int) -> str:
    return formatdate(second, usegmt=True)
