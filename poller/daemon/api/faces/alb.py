"""An Application Load Balancer with a function as target: its events, its answers and its own statuses."""

from http import HTTPStatus
from typing import Any

from poller.daemon.api.faces.answer import (
    FaceAnswer,
    Malformed,
    bytes_of,
    document_of,
    headers_of,
    multi_headers_of,
    plain,
    status_of,
)
from poller.daemon.api.faces.request import FaceRequest, body_of, last_of, lists_of

MOST_BYTES = 1024 * 1024
"""Of a request's body and of an answer."""


def event(request: FaceRequest, *, multi: bool) -> dict[str, Any]:
    """Names of headers are lower case; parameters of the query are handed over as they came."""
    headers = lists_of([(name.lower(), value) for name, value in request.headers])
    query = lists_of(request.raw_parameters)
    body, encoded = body_of(request)
    region, account = request.function_arn.split(":")[3:5]
    arn = f"arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/poller/0000000000000000"
    return {
        "requestContext": {"elb": {"targetGroupArn": arn}},
        "httpMethod": request.method,
        "path": request.path,
        **(
            {"multiValueQueryStringParameters": query, "multiValueHeaders": headers}
            if multi
            else {"queryStringParameters": last_of(query), "headers": last_of(headers)}
        ),
        "body": body,
        "isBase64Encoded": encoded,
    }


def answer(body: bytes, *, multi: bool) -> FaceAnswer:
    """Raises Malformed."""
    document = document_of(body)
    if not isinstance(document, dict):
        raise Malformed("the answer is no object")
    headers = multi_headers_of(document.get("multiValueHeaders")) if multi else headers_of(document.get("headers"))
    found = FaceAnswer(status_of(document), headers, bytes_of(document))
    if len(found.body) > MOST_BYTES:
        raise Malformed(f"the body is larger than {MOST_BYTES:,} bytes")
    if not found.has("content-type"):
        found.headers.append(("Content-Type", "application/octet-stream"))
    return found


def problem(status: HTTPStatus) -> FaceAnswer:
    """In the load balancer's own words, HTML."""
    title = f"{status.value} {status.phrase}"
    page = ("<html>", f"<head><title>{title}</title></head>", "<body>", f"<center><h1>{title}</h1></center>", "</body>")
    return plain(status.value, "\r\n".join((*page, "</html>", "")), "text/html")
