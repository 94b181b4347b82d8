"""What the services have apart: event, answer, and statuses of their own for failure, timeout, throttle, malformed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from poller.daemon.api.faces import alb, payload_v1, payload_v2
from poller.daemon.api.faces.answer import FaceAnswer, message, plain
from poller.daemon.api.faces.request import FaceRequest
from poller.support import codec
from poller.values.http_face import HttpFace, Payload

MOST_BYTES = 6 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Service:
    """One service in front of functions."""

    event: Callable[[FaceRequest, HttpFace], dict[str, Any]]
    answer: Callable[[bytes, HttpFace], FaceAnswer]
    """Raises Malformed."""
    failed: Callable[[], FaceAnswer]
    """The function failed, or its answer is malformed."""
    timed_out: Callable[[], FaceAnswer]
    throttled: Callable[[], FaceAnswer]
    unavailable: Callable[[], FaceAnswer]
    """The function was not invoked for another reason."""
    too_large: Callable[[], FaceAnswer]
    most_bytes: int = MOST_BYTES
    """Of a request's body."""


def _rate_exceeded() -> FaceAnswer:
    body = {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded."}
    return FaceAnswer(429, [("Content-Type", "application/json")], codec.dumps(body))


SERVICES: Mapping[Payload, Service] = {
    "function_url": Service(
        event=lambda request, _: payload_v2.event(request, decoded=False),
        answer=lambda body, _: payload_v2.answer(body),
        failed=lambda: plain(502, "Internal Server Error"),
        timed_out=lambda: plain(504, "Gateway Timeout"),
        throttled=_rate_exceeded,
        unavailable=lambda: plain(502, "Internal Server Error"),
        too_large=lambda: message(413, "Request must be smaller than 6291456 bytes for the InvokeFunction operation"),
    ),
    "api_gateway_v2": Service(
        event=lambda request, _: payload_v2.event(request, decoded=True),
        answer=lambda body, _: payload_v2.answer(body),
        failed=lambda: message(500, "Internal Server Error"),
        timed_out=lambda: message(503, "Service Unavailable"),
        throttled=lambda: message(500, "Internal Server Error"),
        unavailable=lambda: message(500, "Internal Server Error"),
        too_large=lambda: message(413, "Request Entity Too Large"),
    ),
    "api_gateway_v1": Service(
        event=lambda request, _: payload_v1.event(request),
        answer=lambda body, _: payload_v1.answer(body),
        failed=lambda: message(502, "Internal server error"),
        timed_out=lambda: message(504, "Endpoint request timed out"),
        throttled=lambda: message(500, "Internal server error"),
        unavailable=lambda: message(500, "Internal server error"),
        too_large=lambda: message(413, "Request Too Long"),
    ),
    "alb": Service(
        event=lambda request, face: alb.event(request, multi=face.multi_value_headers),
        answer=lambda body, face: alb.answer(body, multi=face.multi_value_headers),
        failed=lambda: alb.problem(HTTPStatus.BAD_GATEWAY),
        timed_out=lambda: alb.problem(HTTPStatus.BAD_GATEWAY),
        throttled=lambda: alb.problem(HTTPStatus.SERVICE_UNAVAILABLE),
        unavailable=lambda: alb.problem(HTTPStatus.BAD_GATEWAY),
        too_large=lambda: alb.problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        most_bytes=alb.MOST_BYTES,
    ),
}
