"""Payload 1.0, of REST APIs: names in the case they came in, each value once and all values beside it."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from poller.daemon.api.faces.answer import (
    FaceAnswer,
    Malformed,
    bytes_of,
    document_of,
    headers_of,
    multi_headers_of,
    status_of,
)
from poller.daemon.api.faces.request import FaceRequest, body_of, last_of, lists_of

API_ID = "poller"
STAGE = "prod"


def event(request: FaceRequest) -> dict[str, Any]:
    """The resource is `/{proxy+}`, which takes every path but the root."""
    headers, query = lists_of(request.headers), lists_of(request.parameters)
    body, encoded = body_of(request, more=True)
    proxied = unquote(request.path[1:])
    resource = "/{proxy+}" if proxied else "/"
    return {
        "resource": resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": last_of(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": last_of(query) or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": {"proxy": proxied} if proxied else None,
        "stageVariables": None,
        "requestContext": _context(request, resource),
        "body": body or None,
        "isBase64Encoded": encoded,
    }


def _context(request: FaceRequest, resource: str) -> dict[str, Any]:
    nobody = ("cognitoIdentityPoolId", "accountId", "cognitoIdentityId", "caller", "accessKey")
    nor = ("cognitoAuthenticationType", "cognitoAuthenticationProvider", "userArn", "user")
    return {
        "resourceId": "poller",
        "resourcePath": resource,
        "httpMethod": request.method,
        "extendedRequestId": request.request_id,
        "requestTime": datetime.fromtimestamp(request.now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "path": f"/{STAGE}{request.path}",
        "accountId": request.function_arn.split(":")[4],
        "protocol": "HTTP/1.1",
        "stage": STAGE,
        "domainPrefix": request.host.partition(".")[0],
        "requestTimeEpoch": int(request.now * 1000),
        "requestId": request.request_id,
        "identity": {
            **dict.fromkeys(nobody),
            "sourceIp": request.source_ip,
            **dict.fromkeys(nor),
            "userAgent": request.header("user-agent"),
        },
        "domainName": request.host,
        "apiId": API_ID,
    }


def answer(body: bytes) -> FaceAnswer:
    """Raises Malformed."""
    document = document_of(body)
    if not isinstance(document, dict):
        raise Malformed("the answer is no object")
    several = multi_headers_of(document.get("multiValueHeaders"))
    names = {name.lower() for name, _ in several}
    single = [(name, value) for name, value in headers_of(document.get("headers")) if name.lower() not in names]
    found = FaceAnswer(status_of(document), single + several, bytes_of(document))
    if not found.has("content-type"):
        found.headers.append(("Content-Type", "application/json"))
    return found
