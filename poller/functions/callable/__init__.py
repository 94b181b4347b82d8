"""Functions that are Python callables of the program which embeds the engine. No file can configure one."""

from poller.functions.callable.function import CallableFunction
from poller.functions.callable.settings import Callable, Handler

__all__ = ["Callable", "CallableFunction", "Handler"]
