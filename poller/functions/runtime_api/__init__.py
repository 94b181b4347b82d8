"""Functions that run unmodified beside the daemon, by Lambda's Runtime API, which is served here.

`RuntimeFunction` starts the function's processes and keeps them. `SharedRuntimeFunction` serves runtimes that are
started elsewhere, such as a container in the same pod. The function's code calls AWS with credentials of its own, so no
grant is needed.
"""

from typing import TYPE_CHECKING

from poller.functions.keys import RUNTIME_CONCURRENCY
from poller.functions.runtime_api.keys import WrittenRuntime, read
from poller.functions.type import FileKeys, FunctionBuilder, FunctionType

if TYPE_CHECKING:
    from poller.aws.transports import Borrowed, Transports
    from poller.configuration.model.functions import FunctionConfig
    from poller.policy.backoff import Chance
    from poller.ports.reach import Tries


def _builder(chance: "Chance") -> FunctionBuilder:
    from poller.functions.runtime_api.building import Runtimes  # noqa: PLC0415  (the row is imported without it)

    return Runtimes(chance)


async def _reach(
    function: "FunctionConfig", _region: str, _transports: "Borrowed | Transports", tries: "Tries"
) -> None:
    from poller.functions.runtime_api.reach import look_at_runtime  # noqa: PLC0415

    look_at_runtime(function, tries)


RUNTIME = FunctionType(
    name="runtime",
    title="a function that poller runs",
    keys=FileKeys(WrittenRuntime, read),
    concurrency=RUNTIME_CONCURRENCY,
    builder=_builder,
    reach=_reach,
    runs_here=True,
    takes_context=True,
    extra="runtime",
)
