"""What the services answer instead, as the value a transport gives."""

import json

from poller.values.errors import ServiceError


def refusal(code: str, message: str, *, namespace: str = "") -> ServiceError:
    body = json.dumps({"__type": f"{namespace}{code}", "message": message}).encode()
    return ServiceError(400, code, message, body=body)
