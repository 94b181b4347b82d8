"""What the demo produces: orders by number, some of which the function fails by plan. Pure."""

import json

UNDELIVERABLE = 7
"""The one order that no receive ships. It comes early, so that its receives are used up while others are still
produced."""
MOST_RECEIVES = 6
"""maxReceiveCount of the queue: more than twice what any other order needs."""

_GOODS = ("teapot", "lantern", "kite", "compass", "umbrella", "chess set", "telescope")


def body(number: int) -> str:
    """Return the message body of an order, counted from 1."""
    order: dict[str, object] = {"order": number, "item": _GOODS[number % len(_GOODS)]}
    fails = _plan(number)
    return json.dumps(order | ({"fails": fails} if fails else {}))


def _plan(number: int) -> str | None:
    if number == UNDELIVERABLE:
        return "always"
    if number % 50 == 30:
        return "with its batch"
    if number % 25 == 9:
        return "twice"
    return "once" if number % 10 == 3 else None
