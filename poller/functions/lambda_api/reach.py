"""Reaching a Lambda function by a dry run, or the emulator by a connection."""

from functools import partial

from poller.aws.transports import Borrowed, Transports
from poller.configuration.model.functions import FunctionConfig
from poller.functions.lambda_api.function import invoke_operation
from poller.functions.lambda_api.options import LambdaOptions
from poller.functions.reachable import SECONDS, connect
from poller.ports.reach import Tries

DRY_RUN = (("x-amz-invocation-type", "DryRun"),)
"""Lambda checks the permission and that the function exists, and runs nothing."""


async def reach(function: FunctionConfig, region: str, transports: Borrowed | Transports, tries: Tries) -> None:
    """Note the answers in `tries`."""
    options, endpoint_url = LambdaOptions.of(function), function.endpoint_url
    if options.rie:
        # it runs every event that it gets
        assert endpoint_url is not None
        await tries.attempt("connect", partial(connect, endpoint_url))
        tries.untried.append("the function itself (the emulator would run it)")
        return
    transport = await transports.get(function.aws, function.region or region)
    operation = invoke_operation(options.name.unqualified, options.name.qualifier, SECONDS, headers=DRY_RUN)
    await tries.attempt("lambda:InvokeFunction", partial(transport.call, operation, b"{}"))
