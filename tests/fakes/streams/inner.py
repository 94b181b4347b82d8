"""What the tests put into aggregates: data that says its own place, since all inner records have one sequence number."""

import base64
import json
from collections.abc import Sequence

from poller.policy.positions import inside

BEGIN = b'{"inner":'
IN_BASE64 = base64.b64encode(BEGIN).decode()


def inner_data(keys: Sequence[str], text: str) -> list[tuple[str, bytes]]:
    """Key and data of each record that goes into one aggregate."""
    return [
        (key, b'%b%d,"of":%d,"text":%b}' % (BEGIN, n, len(keys), json.dumps(text).encode()))
        for n, key in enumerate(keys)
    ]


def inner_identifier(sequence_number: str, data: str | None) -> str:
    """The position of a record by what the function sees of it."""
    if not (data or "").startswith(IN_BASE64):
        return sequence_number
    told = json.loads(base64.b64decode(data or ""))
    return sequence_number if told["inner"] == told["of"] - 1 else inside(sequence_number, told["inner"])
