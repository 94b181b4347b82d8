"""AWS's partitions, from the SDK's own table, which knows new ones first."""

from functools import cache
from typing import Any

AWS = "aws"


def partition_of(region: str) -> str:
    """The partition of a region, as ARNs name it; the most common one for an unknown region."""
    from botocore.endpoint_provider import RuleSetStandardLibrary  # noqa: PLC0415 - checking a configuration needs no SDK

    found = RuleSetStandardLibrary(_table()).aws_partition(region)
    return str(found["name"]) if found else AWS


def dns_suffix(partition: str) -> str:
    """The end of the host names of a partition's services."""
    suffixes = {one["id"]: str(one["outputs"]["dnsSuffix"]) for one in _table()["partitions"]}
    return suffixes.get(partition, suffixes[AWS])


@cache
def _table() -> Any:
    from botocore.loaders import create_loader  # noqa: PLC0415

    return create_loader().load_data("partitions")
