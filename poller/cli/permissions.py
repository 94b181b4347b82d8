"""Which permissions a configuration needs: the actions the daemon calls, on exact ARNs, for each who calls them.

Knows IAM's names of actions and how each resource is written in a policy. Reads the configuration alone; asks nobody.
What the configuration does not name is not in it: `kms:Decrypt` on a customer's key that encrypts a source.
"""

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from poller.configuration import AwsSettings, Configuration, EventSourceMapping, FunctionConfig
from poller.destinations.kinds import kind_of
from poller.engine.function_arns import account_of_role, function_arn
from poller.sources.kinds import KINDS
from poller.values.partitions import partition_of
from poller.values.permissions import Condition, Grant

DEFAULT = "default"
"""Who is found by the SDK's own chain."""

Grants = Iterator[tuple[str, Grant]]
"""With the principal that needs each."""


def policies(configuration: Configuration) -> dict[str, dict[str, object]]:
    """One policy document per principal: the ARN of a role assumed, `profile NAME`, else `default`."""
    found: dict[str, set[Grant]] = {}
    for mapping in configuration.mappings:
        for principal, grant in _of_mapping(mapping):
            found.setdefault(principal, set()).add(grant)
    return {principal: _document(found[principal]) for principal in sorted(found)}


def principal_of(aws: AwsSettings) -> str:
    """Whose policy has to allow what is called with these settings."""
    return aws.role_arn or _caller(aws)


def _of_mapping(mapping: EventSourceMapping) -> Grants:
    for grant in KINDS[mapping.source.kind].grants(mapping.source):
        yield from _as(mapping.aws, grant)
    function = mapping.function
    for grant in _FUNCTIONS[function.type](function, mapping.region, mapping.source.account):
        yield from _as(function.aws, grant)
    for destination in mapping.destinations:
        yield from _as(mapping.aws, kind_of(destination).grant(mapping, destination))


def _as(aws: AwsSettings, grant: Grant) -> Grants:
    yield principal_of(aws), grant
    if aws.role_arn is not None:
        yield _caller(aws), Grant("Roles", ("sts:AssumeRole",), aws.role_arn)


def _caller(aws: AwsSettings) -> str:
    return DEFAULT if aws.profile is None else f"profile {aws.profile}"


def _lambda(function: FunctionConfig, region: str, account: str) -> Iterator[Grant]:
    # the emulator knows no permissions
    if not function.rie:
        yield Grant("Functions", ("lambda:InvokeFunction",), function_arn(function, region, account))


def _web(function: FunctionConfig, region: str, account: str) -> Iterator[Grant]:
    sigv4 = function.web.sigv4 if function.web else None
    if sigv4 is None:
        return
    account = account_of_role(function.aws.role_arn) or account
    if sigv4.service == "lambda":
        yield from _function_url(function, sigv4.region or region, account)
    elif sigv4.service == "execute-api":
        host = urlsplit(function.url or "").hostname or ""
        # behind a domain of one's own any API may be
        api = host.partition(".")[0] if ".execute-api." in host else "*"
        region = sigv4.region or region
        # a path names a stage or leaves it out, which only the API knows
        yield Grant(
            "Apis", ("execute-api:Invoke",), f"arn:{partition_of(region)}:execute-api:{region}:{account}:{api}/*/POST/*"
        )


def _function_url(function: FunctionConfig, region: str, account: str) -> Iterator[Grant]:
    # a URL does not tell whose it is
    arn = function.function_arn or f"arn:{partition_of(region)}:lambda:{region}:{account}:function:*"
    yield Grant(
        "FunctionUrls", ("lambda:InvokeFunctionUrl",), arn, ("StringEquals", "lambda:FunctionUrlAuthType", "AWS_IAM")
    )
    # asked for beside the other one since October 2025
    yield Grant("FunctionUrls", ("lambda:InvokeFunction",), arn, ("Bool", "lambda:InvokedViaFunctionUrl", "true"))


def _step_functions(function: FunctionConfig, _region: str, _account: str) -> Iterator[Grant]:
    parts = (function.state_machine_arn or "").split(":")
    # IAM names version and alias in a condition, not in the resource
    qualifier = ("ForAnyValue:StringEquals", "states:StateMachineQualifier", parts[7]) if len(parts) > 7 else None
    yield Grant("StateMachines", ("states:StartSyncExecution",), ":".join(parts[:7]), qualifier)


def _nothing(_function: FunctionConfig, _region: str, _account: str) -> Iterator[Grant]:
    yield from ()


_FUNCTIONS: Mapping[str, Callable[[FunctionConfig, str, str], Iterator[Grant]]] = {
    "lambda": _lambda,
    "function_url": _web,
    "http": _web,
    # what its code calls is its own business, with credentials of its own
    "runtime": _nothing,
    "step_functions": _step_functions,
}
_SIGNED_FOR = frozenset({"lambda", "execute-api"})
"""Services of signed requests whose actions are known here."""


def remarks(configuration: Configuration) -> list[str]:
    """What a person has to see to: what is wider than it could be, and what is missing."""
    found = set()
    for function in (mapping.function for mapping in configuration.mappings):
        sigv4 = function.web.sigv4 if function.web else None
        if sigv4 is None:
            continue
        if sigv4.service == "lambda" and function.function_arn is None:
            found.add(f"{function.key}: a URL does not name its function; set function_arn, and no other is allowed")
        elif sigv4.service not in _SIGNED_FOR:
            found.add(f"{function.key}: requests are signed for {sigv4.service}; allow by hand what that asks for")
    return sorted(found)


def _document(grants: set[Grant]) -> dict[str, object]:
    statements: dict[tuple[str, tuple[str, ...], Condition | tuple[()]], list[str]] = {}
    for grant in sorted(grants, key=lambda grant: (grant.sid, grant.actions, grant.condition or (), grant.resource)):
        key = (grant.sid, grant.actions, grant.condition or ())
        statements.setdefault(key, []).append(grant.resource)
    taken: dict[str, int] = {}
    found = []
    for (sid, actions, condition), resources in statements.items():
        taken[sid] = taken.get(sid, 0) + 1
        statement: dict[str, object] = {
            # each may stand only once in a policy
            "Sid": sid if taken[sid] == 1 else f"{sid}{taken[sid]}",
            "Effect": "Allow",
            "Action": list(actions),
            "Resource": resources,
        }
        if condition:
            operator, name, value = condition
            statement["Condition"] = {operator: {name: value}}
        found.append(statement)
    return {"Version": "2012-10-17", "Statement": found}
