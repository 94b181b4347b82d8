"""The members of a message are read in one place, so that another representation of a page can be put behind it."""

import ast
from pathlib import Path

from poller.sources.sqs import message

FOLDER = Path(message.__file__).parent
MEMBERS = {"MessageId", "ReceiptHandle", "Body", "MD5OfBody", "MessageAttributes", "MD5OfMessageAttributes"}
SAMPLES = "development.py"
"""It writes a message, to show what an event looks like."""
REQUESTS = "queue.py"
"""Writes members of the same names into its requests."""


def members_in(path: Path) -> list[str]:
    """Each member of a message that the module names, with its place."""
    return [
        f"{path.name}:{node.lineno}: {node.value}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in MEMBERS
    ]


def test_no_other_module_reads_a_member_of_a_message():
    assert {member.rpartition(" ")[2] for member in members_in(FOLDER / "message.py")} == MEMBERS
    others = [path for path in FOLDER.glob("*.py") if path.name not in ("message.py", REQUESTS, SAMPLES)]
    assert len(others) > 10
    assert [found for path in others for found in members_in(path)] == []
