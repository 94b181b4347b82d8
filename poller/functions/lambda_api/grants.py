"""The permission that invoking a Lambda function needs."""

from collections.abc import Iterator

from poller.configuration.model.functions import FunctionConfig
from poller.functions.arns import function_arn
from poller.functions.lambda_api.options import LambdaOptions
from poller.values.permissions import Grant


def grants(function: FunctionConfig, region: str, account: str) -> Iterator[Grant]:
    # the emulator knows no permissions
    if not LambdaOptions.of(function).rie:
        yield Grant("Functions", ("lambda:InvokeFunction",), function_arn(function, region, account))
