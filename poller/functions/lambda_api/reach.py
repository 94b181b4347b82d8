"""Reaching a Lambda function by a dry run, or the emulator by a connection."""

from functools import partial

from poller.aws.transports import Transports
from poller.configuration.model.functions import FunctionConfig
from poller.functions.lambda_api.function import invoke_operation
from poller.functions.reachable import SECONDS, connect
from poller.ports.reach import Tries

DRY_RUN = (("x-amz-invocation-type", "DryRun"),)
"""Lambda checks the permission and that there is such a function, and runs nothing."""


async def reach(function: FunctionConfig, region: str, transports: Transports, tries: Tries) -> None:
    """Note the answers in `tries`."""
    endpoint_url = function.endpoint_url
    if function.rie:
        # it runs whatever it is sent
        assert endpoint_url is not None
        await tries.attempt("connect", partial(connect, endpoint_url))
        tries.untried.append("the function itself (the emulator would run it)")
        return
    assert function.function_name is not None
    transport = await transports.get(function.aws, function.region or region)
    operation = invoke_operation(function.function_name, function.qualifier, SECONDS, headers=DRY_RUN)
    await tries.attempt("lambda:InvokeFunction", partial(transport.call, operation, b"{}"))
