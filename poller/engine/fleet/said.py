"""What members say of themselves in their rows, as far as it decides which of them may hold shards."""

from collections.abc import Mapping
from typing import Any

from poller.ports.fleet import MemberRow

UNOPENED = "unopened"
"""The fact of a member: the uuids of mappings whose stream it cannot open."""


def mappings_of(row: MemberRow) -> Mapping[str, Any]:
    """The mappings that a member runs: by uuid the ARN of each event source."""
    found = row.facts.get("mappings")
    return found if isinstance(found, dict) else {}


def opens(row: MemberRow, uuid: str) -> bool:
    """Whether a member can read the stream of a mapping, as far as it says."""
    found = row.facts.get(UNOPENED)
    return not (isinstance(found, list) and uuid in found)
