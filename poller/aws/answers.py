"""Parses a service's answers: errors, with the same values as the SDK, Retry-After and dates. Pure."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http.client import responses

from poller.aws.port import Operation, Reply
from poller.support.codec import loads
from poller.values.errors import ServiceError

_SECONDS = re.compile(r"[0-9]{1,9}")


def service_error(operation: Operation, reply: Reply) -> ServiceError:
    """Parse the error of an unsuccessful answer.

    The code is the SDK's: for a service that once spoke the query protocol (SQS) the code of those days, which it sends
    in a header; for REST the header's; else the body's `__type`; else the status as text.
    """
    code, message = _code_and_message(reply, rest=operation.target is None)
    return ServiceError(reply.status, code, message, retry_after=retry_after(reply.headers), body=reply.body)


def _code_and_message(reply: Reply, *, rest: bool) -> tuple[str, str]:
    status = str(reply.status)
    text = reply.body.strip()
    if reply.status >= 500 and (not text or text.startswith(b"<html>")):
        # from a load balancer rather than the service
        return status, responses.get(reply.status, "")
    try:
        fields = loads(reply.body) if reply.body else {}
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        fields = {"message": reply.body.decode("utf-8", "replace")}
    message = fields.get("message", fields.get("Message"))
    kind = fields.get("__type", status)
    code = _bare(kind.partition(":")[0].rpartition("#")[2] if isinstance(kind, str) else kind)
    query = reply.headers.get("x-amzn-query-error", "").split(";")
    if len(query) == 2 and query[0]:
        code = query[0]
    if rest:
        named = reply.headers.get("x-amzn-errortype", fields.get("code", fields.get("Code")))
        if named is not None:
            code = _bare(named)
    return code, message if isinstance(message, str) else ""


def _bare(code: object) -> str:
    """The code without namespace (`com.amazonaws.sqs#`) and suffix (`:http://…`)."""
    return str(code).partition(":")[0].rpartition("#")[2]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header; a date is relative to the answer's own Date."""
    value = headers.get("retry-after")
    if value is None:
        return None
    if _SECONDS.fullmatch(value.strip()):
        return float(value)
    until, now = timestamp(value), timestamp(headers.get("date", ""))
    return max(0.0, until - now) if until is not None and now is not None else None


def timestamp(date: str) -> float | None:
    """Seconds since the epoch of an HTTP date; None if it is malformed."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None
