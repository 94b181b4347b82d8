"""For values that a test expects to be there, where the type allows None."""

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """The value; fails the test where it is None."""
    assert value is not None, "the test expects a value here"
    return value
