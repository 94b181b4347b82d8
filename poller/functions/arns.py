"""The ARN of a function, for everybody who names one: events, on-failure records, the policy."""

from typing import TYPE_CHECKING

from poller.configuration.model.functions import FunctionConfig
from poller.values.partitions import partition_of

if TYPE_CHECKING:
    from poller.configuration.model.mapping import EventSourceMapping


def arn_of(mapping: "EventSourceMapping") -> str:
    """As Lambda would name the mapping's function, qualifier included."""
    return function_arn(mapping.function, mapping.region, mapping.source.account)


def function_arn(function: FunctionConfig, region: str, account: str) -> str:
    """As configured; else of what is called, where it is called. `region` and `account` are the mapping's own, for what
    the function's name and settings leave open. A bare name is looked up in the account of whoever calls.
    """
    if function.function_arn is not None:
        return function.function_arn
    name, written = function.key, function.name
    if written is not None:
        name = written.name
        region = written.region or function.region or region
        account = written.account or account_of_role(function.aws.role_arn) or account
    qualifier = f":{function.qualifier}" if function.qualifier else ""
    return f"arn:{partition_of(region)}:lambda:{region}:{account}:function:{name}{qualifier}"


def account_of_role(role_arn: str | None) -> str | None:
    """Whose account a role belongs to."""
    return role_arn.split(":")[4] if role_arn is not None and role_arn.count(":") >= 5 else None
