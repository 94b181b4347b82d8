"""The pages of a list: where the caller asks to go on, and how much of it."""

import base64

from poller.daemon.api.lambda_api.errors import LambdaError
from poller.daemon.api.lambda_api.operation import Call


def marker(call: Call) -> str:
    """The key after which the page begins; empty for the first. Raises LambdaError."""
    try:
        return base64.urlsafe_b64decode(call.query.get("Marker", "")).decode()
    except ValueError as error:
        raise LambdaError("InvalidParameterValueException", "Invalid Marker") from error


def marker_of(key: str) -> str:
    """What the caller sends to go on after `key`."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def most_items(call: Call, page: int) -> int:
    """The number of items that is asked for, at most `page`. Raises LambdaError."""
    given = call.query.get("MaxItems", str(page))
    if not given.isascii() or not given.isdecimal() or not 1 <= int(given[:9]) <= 10_000:
        text = f"1 validation error detected: Value '{given[:20]}' at 'maxItems' failed to satisfy constraint: "
        raise LambdaError("ValidationException", text + "Member must be between 1 and 10000")
    return min(page, int(given))
