"""CORS of a face: the answer to a preflight request, and the headers that let a page read an answer."""

from poller.daemon.api.faces.answer import FaceAnswer
from poller.daemon.api.faces.request import FaceRequest
from poller.values.http_face import Cors

_PREFIX = "access-control-"


def is_preflight(request: FaceRequest) -> bool:
    return (
        request.method == "OPTIONS"
        and request.header("origin") is not None
        and request.header("access-control-request-method") is not None
    )


def preflight(request: FaceRequest, cors: Cors) -> FaceAnswer:
    """The function is not invoked. An origin that is not allowed gets no header that would allow it."""
    found = FaceAnswer(200, _origin(request, cors))
    if found.headers:
        for name, values in (("Methods", cors.allow_methods), ("Headers", cors.allow_headers)):
            if values:
                found.headers.append((f"Access-Control-Allow-{name}", ",".join(values)))
        if cors.max_age:
            found.headers.append(("Access-Control-Max-Age", str(cors.max_age)))
    return found


def allow(request: FaceRequest, answer: FaceAnswer, cors: Cors) -> None:
    """The configured headers take the place of those that the function answered."""
    answer.headers = [(name, value) for name, value in answer.headers if not name.lower().startswith(_PREFIX)]
    origin = _origin(request, cors)
    answer.headers += origin
    if origin and cors.expose_headers:
        answer.headers.append(("Access-Control-Expose-Headers", ",".join(cors.expose_headers)))


def _origin(request: FaceRequest, cors: Cors) -> list[tuple[str, str]]:
    origin = request.header("origin")
    if origin is None or not ("*" in cors.allow_origins or origin in cors.allow_origins):
        return []
    anybody = "*" in cors.allow_origins and not cors.allow_credentials
    found = [("Access-Control-Allow-Origin", "*" if anybody else origin), ("Vary", "Origin")]
    if cors.allow_credentials:
        found.append(("Access-Control-Allow-Credentials", "true"))
    return found
