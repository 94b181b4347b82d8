"""Functions that are Python callables of the program which embeds the engine. No file can configure one."""

from typing import TYPE_CHECKING

from poller.functions.callable.function import CallableFunction
from poller.functions.callable.settings import CONCURRENCY, Callable, Handler
from poller.functions.type import FunctionBuilder, FunctionType

if TYPE_CHECKING:
    from poller.aws.transports import Borrowed, Transports
    from poller.configuration.model.functions import FunctionConfig
    from poller.policy.backoff import Chance
    from poller.ports.reach import Tries

__all__ = ["CALLABLE", "Callable", "CallableFunction", "Handler"]


def _builder(_chance: "Chance") -> FunctionBuilder:
    from poller.functions.callable.building import CallableBuilder  # noqa: PLC0415

    return CallableBuilder()


async def _reach(
    _function: "FunctionConfig", _region: str, _transports: "Borrowed | Transports", tries: "Tries"
) -> None:
    tries.untried.append("the function itself (it is part of the program)")


CALLABLE = FunctionType(
    name="callable",
    title="a Python callable",
    keys=None,
    concurrency=CONCURRENCY,
    builder=_builder,
    reach=_reach,
    runs_here=True,
)
