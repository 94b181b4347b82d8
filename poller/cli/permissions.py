"""Computes the permissions that a configuration needs: actions on exact ARNs, for each principal.

It knows IAM's names of actions and how a policy writes each resource. It reads the configuration alone and makes no
call, so a permission for something that the configuration does not name is missing, such as `kms:Decrypt` on a
customer's key that encrypts a source.
"""

from collections.abc import Iterator

from poller.configuration import AwsSettings, Configuration, EventSourceMapping
from poller.destinations.kinds import kind_of
from poller.functions.types import FUNCTION_TYPES
from poller.sources.kinds import KINDS
from poller.state import kinds as stores
from poller.values.permissions import Condition, Grant

DEFAULT = "default"
"""The principal of the SDK's default chain."""

Grants = Iterator[tuple[str, Grant]]
"""Permissions with the principal that needs each."""


DEAD_LETTERS = (
    "DeadLetters is on every queue of the region and account, because the configuration does not name the dead-letter "
    "queue; write its ARN there"
)


def policies(configuration: Configuration, *, by_hand: bool = False) -> dict[str, dict[str, object]]:
    """One policy document per principal: the ARN of an assumed role, `profile NAME`, or `default`. `by_hand` adds what
    people need to look at records and to deliver them once more.
    """
    found: dict[str, set[Grant]] = {}
    for mapping in configuration.mappings:
        for principal, grant in (*_of_mapping(mapping), *(_by_hand(mapping) if by_hand else ())):
            found.setdefault(principal, set()).add(grant)
    for principal, grant in _of_state(configuration):
        found.setdefault(principal, set()).add(grant)
    return {principal: _document(found[principal]) for principal in sorted(found)}


def principal_of(aws: AwsSettings) -> str:
    """The principal whose policy has to allow the calls with these settings."""
    return aws.role_arn or _caller(aws)


def _of_mapping(mapping: EventSourceMapping) -> Grants:
    for grant in KINDS[mapping.source.kind].grants(mapping):
        yield from _as(mapping.aws, grant)
    for function in mapping.functions:
        for grant in FUNCTION_TYPES[function.type].grants(function, mapping.region, mapping.source.account):
            yield from _as(function.aws, grant)
    for destination in mapping.destinations:
        yield from _as(mapping.aws, kind_of(destination).grant(mapping, destination))


def _by_hand(mapping: EventSourceMapping) -> Grants:
    """Of what `peek` and `redrive` read beside the mapping's source."""
    dead_letters = KINDS[mapping.source.kind].dead_letters
    if dead_letters is not None:
        yield from _as(mapping.aws, dead_letters(mapping))
    arn = mapping.on_failure_destination
    held = None if arn is None else kind_of(arn).held_grants
    for grant in () if arn is None or held is None else held(mapping, arn):
        yield from _as(mapping.aws, grant)


def _of_state(configuration: Configuration) -> Grants:
    """Of the store, which is taken to be in the account of the first mapping."""
    settings = configuration.settings
    account = next((mapping.source.account for mapping in configuration.mappings), "*")
    for grant in stores.kind_of(settings.state).grants(settings, account):
        yield from _as(settings.aws, grant)


def _as(aws: AwsSettings, grant: Grant) -> Grants:
    yield principal_of(aws), grant
    if aws.role_arn is not None:
        yield _caller(aws), Grant("Roles", ("sts:AssumeRole",), aws.role_arn)


def _caller(aws: AwsSettings) -> str:
    return DEFAULT if aws.profile is None else f"profile {aws.profile}"


def remarks(configuration: Configuration, *, by_hand: bool = False) -> list[str]:
    """Notes for the user: statements that are wider than necessary, and permissions that are missing."""
    by_kind = {mapping.source.kind for mapping in configuration.mappings}
    more = {DEAD_LETTERS} if by_hand and any(KINDS[kind].dead_letters for kind in by_kind) else set()
    functions = (function for mapping in configuration.mappings for function in mapping.functions)
    return sorted(more | {remark for one in functions for remark in FUNCTION_TYPES[one.type].remarks(one)})


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
            # a policy may hold each statement only once
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
