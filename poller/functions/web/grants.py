"""The permissions that signed requests need, and remarks where the configuration leaves them open."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from poller.configuration.model.functions import FunctionConfig
from poller.functions.arns import account_of_role
from poller.functions.web.options import WebOptions
from poller.values.partitions import partition_of
from poller.values.permissions import Grant

_SIGNED_FOR = frozenset({"lambda", "execute-api"})
"""Services of signed requests whose actions are known here."""


def grants(function: FunctionConfig, region: str, account: str) -> Iterator[Grant]:
    options = WebOptions.of(function)
    sigv4 = options.sigv4
    if sigv4 is None:
        return
    account = account_of_role(function.aws.role_arn) or account
    if sigv4.service == "lambda":
        yield from _function_url(function, sigv4.region or region, account)
    elif sigv4.service == "execute-api":
        host = urlsplit(options.url).hostname or ""
        # a custom domain does not tell which API it serves
        api = host.partition(".")[0] if ".execute-api." in host else "*"
        region = sigv4.region or region
        # only the API knows whether the path begins with a stage
        yield Grant(
            "Apis", ("execute-api:Invoke",), f"arn:{partition_of(region)}:execute-api:{region}:{account}:{api}/*/POST/*"
        )


def _function_url(function: FunctionConfig, region: str, account: str) -> Iterator[Grant]:
    # a function URL does not name its function
    arn = function.function_arn or f"arn:{partition_of(region)}:lambda:{region}:{account}:function:*"
    yield Grant(
        "FunctionUrls", ("lambda:InvokeFunctionUrl",), arn, ("StringEquals", "lambda:FunctionUrlAuthType", "AWS_IAM")
    )
    # Lambda requires this action as well since October 2025
    yield Grant("FunctionUrls", ("lambda:InvokeFunction",), arn, ("Bool", "lambda:InvokedViaFunctionUrl", "true"))


def remarks(function: FunctionConfig) -> Iterator[str]:
    """Remarks on permissions that are wider than necessary, and on missing ones."""
    sigv4 = WebOptions.of(function).sigv4
    if sigv4 is None:
        return
    if sigv4.service == "lambda" and function.function_arn is None:
        yield f"{function.key}: a URL does not name its function; set function_arn, and no other is allowed"
    elif sigv4.service not in _SIGNED_FOR:
        yield f"{function.key}: requests are signed for {sigv4.service}; allow by hand what that asks for"
