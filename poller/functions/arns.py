"""Derives the ARN of a function: one rule for events, invocation records, permissions and its own context."""

from typing import TYPE_CHECKING

from poller.configuration.model.functions import FunctionConfig
from poller.values.partitions import partition_of

if TYPE_CHECKING:
    from poller.configuration.model.mapping import EventSourceMapping


def arn_of(mapping: "EventSourceMapping") -> str:
    """The ARN by which Lambda would name the mapping's function, qualifier included."""
    return function_arn(mapping.function, mapping.region, mapping.source.account)


def function_arn(function: FunctionConfig, region: str, account: str) -> str:
    """The configured ARN, else one made of the function's name, in the region and the account where it is called.
    `region` and `account` are the mapping's, for whatever the function's name and settings leave open. Lambda looks a
    bare name up in the caller's account.
    """
    if function.function_arn is not None:
        return function.function_arn
    name, written = function.key, function.name
    if written is not None:
        name = written.name
        region = written.region or function.region or region
        account = written.account or account_of_role(function.aws.role_arn) or account
    qualifier = f":{written.qualifier}" if written is not None and written.qualifier else ""
    return f"arn:{partition_of(region)}:lambda:{region}:{account}:function:{name}{qualifier}"


def account_of_role(role_arn: str | None) -> str | None:
    """The account of a role; None without one."""
    return role_arn.split(":")[4] if role_arn is not None and role_arn.count(":") >= 5 else None
