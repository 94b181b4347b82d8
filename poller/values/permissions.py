"""Permissions as an IAM policy grants them."""

from dataclasses import dataclass

Condition = tuple[str, str, str]
"""`(operator, key, value)`."""


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """Actions on one resource."""

    sid: str
    """The resources in plural, as a heading; a policy document joins grants with equal ones."""
    actions: tuple[str, ...]
    resource: str
    condition: Condition | None = None
