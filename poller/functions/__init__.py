"""What batches go to: one folder for each type of function."""

from poller.functions.callable import Callable

__all__ = ["Callable"]
