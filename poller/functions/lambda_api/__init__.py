"""Functions behind the Lambda Invoke API, or behind an endpoint that speaks it, the emulator included."""

from typing import TYPE_CHECKING

from poller.functions.lambda_api.grants import grants
from poller.functions.lambda_api.keys import WrittenLambda, read
from poller.functions.type import FileKeys, FunctionBuilder, FunctionType

if TYPE_CHECKING:
    from poller.aws.transports import Borrowed, Transports
    from poller.configuration.model.functions import FunctionConfig
    from poller.policy.backoff import Chance
    from poller.ports.reach import Tries


def _builder(_chance: "Chance") -> FunctionBuilder:
    from poller.functions.lambda_api.building import LambdaBuilder  # noqa: PLC0415  (the row is imported without it)

    return LambdaBuilder()


async def _reach(function: "FunctionConfig", region: str, transports: "Borrowed | Transports", tries: "Tries") -> None:
    from poller.functions.lambda_api.reach import reach  # noqa: PLC0415

    await reach(function, region, transports, tries)


LAMBDA = FunctionType(
    name="lambda",
    title="a Lambda function",
    keys=FileKeys(WrittenLambda, read),
    builder=_builder,
    grants=grants,
    reach=_reach,
)
