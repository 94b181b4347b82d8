"""Permissions as an IAM policy grants them."""

from dataclasses import dataclass

Condition = tuple[str, str, str]
"""`(operator, key, value)`."""


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """Actions on one resource."""

    sid: str
    """What the resources are; a policy document joins equal ones."""
    actions: tuple[str, ...]
    resource: str
    condition: Condition | None = None
