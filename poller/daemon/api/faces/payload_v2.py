"""Payload 2.0, of function URLs and of HTTP APIs: one value for each name, cookies apart, answers without a status."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from poller.daemon.api.faces.answer import FaceAnswer, Malformed, bytes_of, document_of, headers_of, status_of
from poller.daemon.api.faces.request import FaceRequest, body_of, lists_of
from poller.support import codec

API_ID = "poller"
STAGE = "$default"


def event(request: FaceRequest, *, decoded: bool) -> dict[str, Any]:
    """`decoded`: the path is percent-decoded, as by an HTTP API; a function URL hands it over as it came."""
    path = unquote(request.path) if decoded else request.path
    headers = lists_of([(name.lower(), value) for name, value in request.headers if name.lower() != "cookie"])
    query = lists_of(request.parameters)
    cookies = [
        cookie.strip()
        for name, value in request.headers
        if name.lower() == "cookie"
        for cookie in value.split(";")
        if cookie.strip()
    ]
    body, encoded = body_of(request, more=True)
    found: dict[str, Any] = {"version": "2.0", "routeKey": STAGE, "rawPath": path, "rawQueryString": request.query}
    if cookies:
        found["cookies"] = cookies
    found["headers"] = {name: ",".join(values) for name, values in headers.items()}
    if query:
        found["queryStringParameters"] = {name: ",".join(values) for name, values in query.items()}
    found["requestContext"] = _context(
        request, path, account=request.function_arn.split(":")[4] if decoded else "anonymous"
    )
    if body:
        found["body"] = body
    return found | {"isBase64Encoded": encoded}


def _context(request: FaceRequest, path: str, *, account: str) -> dict[str, Any]:
    return {
        "accountId": account,
        "apiId": API_ID,
        "domainName": request.host,
        "domainPrefix": request.host.partition(".")[0],
        "http": {
            "method": request.method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.source_ip,
            "userAgent": request.header("user-agent") or "",
        },
        "requestId": request.request_id,
        "routeKey": STAGE,
        "stage": STAGE,
        "time": datetime.fromtimestamp(request.now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(request.now * 1000),
    }


def answer(body: bytes) -> FaceAnswer:
    """Raises Malformed."""
    document = document_of(body)
    if not isinstance(document, dict) or "statusCode" not in document:
        content = document.encode("utf-8", "replace") if isinstance(document, str) else codec.dumps(document)
        return FaceAnswer(200, [("Content-Type", "application/json")], content)
    found = FaceAnswer(status_of(document), headers_of(document.get("headers")), bytes_of(document))
    cookies = document.get("cookies") or []
    if not isinstance(cookies, list):
        raise Malformed("cookies is no list")
    for cookie in cookies:
        found.headers += headers_of({"Set-Cookie": cookie})
    if not found.has("content-type"):
        found.headers.append(("Content-Type", "application/json"))
    return found
