"""Express workflows of Step Functions: started and waited for; their output is read as a function's answer."""

from typing import TYPE_CHECKING

from poller.functions.step_functions.grants import grants
from poller.functions.step_functions.keys import WORKFLOW_PAYLOAD_BYTES, WrittenStepFunctions, read
from poller.functions.type import FileKeys, FunctionBuilder, FunctionType

if TYPE_CHECKING:
    from poller.aws.transports import Borrowed, Transports
    from poller.configuration.model.functions import FunctionConfig
    from poller.policy.backoff import Chance
    from poller.ports.reach import Tries


def _builder(_chance: "Chance") -> FunctionBuilder:
    from poller.functions.step_functions.building import WorkflowBuilder  # noqa: PLC0415  (the row is imported without)

    return WorkflowBuilder()


async def _reach(function: "FunctionConfig", region: str, transports: "Borrowed | Transports", tries: "Tries") -> None:
    from poller.functions.step_functions.reach import reach  # noqa: PLC0415

    await reach(function, region, transports, tries)


STEP_FUNCTIONS = FunctionType(
    name="step_functions",
    title="an Express workflow of Step Functions",
    keys=FileKeys(WrittenStepFunctions, read),
    payload_limit=WORKFLOW_PAYLOAD_BYTES,
    builder=_builder,
    grants=grants,
    reach=_reach,
)
