"""Who may ask the HTTP server, and as what: by a token, by a session of the page, and by the name it was called by.

Health and readiness answer anybody, and say nothing but yes or no; so do the page's style and script, and the form that
asks for the token. Everything else wants a token or a session, where a token is configured; where there is none, it
wants to be called by an address or a name that is certainly this machine's, since a web page can make any name of its
own lead here.
"""

import hmac
import ipaddress
import socket
from collections.abc import Callable
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from poller.configuration.model.settings import ApiSettings
from poller.configuration.reading.secrets import Secret
from poller.daemon.api import sessions
from poller.support import telemetry
from poller.values.errors import ConfigurationError

MODULES = ("changes", "orders", "poller", "records", "result", "text", "times")
"""Of the page's script."""
PAGE_FILES = ("/page/poller.css", "/page/icon.svg", *(f"/page/{name}.js" for name in MODULES))
OPEN_TO_ALL = frozenset({"/healthz", "/readyz", "/login", "/logout", *PAGE_FILES})
OWN_ACCESS = "own_access"
"""Begins the names of routes that decide for themselves who may ask."""


class Role(StrEnum):
    """What a request may do."""

    READ = "read"
    STEER = "steer"


ROLE = web.RequestKey("role", Role)
BY_SESSION = web.RequestKey("by_session", bool)
"""Whether the role comes from a session of the page, which a browser sends with every request."""


class Refused(Exception):
    """Answered with a status and a sentence; nothing has changed."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


def wants_html(request: web.Request) -> bool:
    """Whether a browser asks for a page. Programs, which take anything, get JSON."""
    return "text/html" in request.headers.get("Accept", "")


def checked(api: ApiSettings, wall: Callable[[], float]) -> Middleware:
    """What lets a request through with its role, or answers 401, 403, 421 or 503. `wall` tells the epoch seconds."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        own = (request.match_info.route.name or "").startswith(OWN_ACCESS)
        if request.path in OPEN_TO_ALL or own:
            return await handler(request)
        request[BY_SESSION] = False
        if api.token is None:
            if api.socket is None and not knows_host(api, request.host):
                return web.json_response({"error": unknown_host(request.host)}, status=HTTPStatus.MISDIRECTED_REQUEST)
            request[ROLE] = Role.STEER
        elif given := request.headers.get("Authorization", ""):
            request[ROLE] = _by_token(api, given)
        elif (role := _by_session(api, request, wall())) is not None:
            request[ROLE], request[BY_SESSION] = role, True
        elif wants_html(request) and request.method == "GET":
            onward = {"Location": f"/login?onward={quote(request.path, safe='')}"}
            return web.Response(status=HTTPStatus.SEE_OTHER, headers=onward)
        else:
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        return await handler(request)

    return check


def check_steering(request: web.Request, api: ApiSettings) -> None:
    """Raise Refused where a request may not change anything: its holder only reads, or a web page from elsewhere could
    have made a browser send it. Such a request has an Origin that is not this address, or a host name that was made to
    point here.
    """
    check_origin(request)
    by_session = request[BY_SESSION]
    # a browser sends a session only to the host that gave it
    if not by_session and not knows_host(api, request.host):
        raise Refused(HTTPStatus.MISDIRECTED_REQUEST, unknown_host(request.host))
    if by_session and "Origin" not in request.headers:
        raise Refused(HTTPStatus.FORBIDDEN, "a request with a session and without an Origin is not the page's")
    if request[ROLE] is not Role.STEER:
        raise Refused(HTTPStatus.FORBIDDEN, "this token only reads; steering takes api.token with the scope steer")


def check_origin(request: web.Request) -> None:
    """Raise Refused for a request that a page from elsewhere made a browser send."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "same-origin")
    own = origin is None or origin.lower() in (f"http://{request.host.lower()}", f"https://{request.host.lower()}")
    if not own or site not in ("same-origin", "none"):
        raise Refused(
            HTTPStatus.FORBIDDEN, "requests of web pages with an Origin other than this address are not taken"
        )


def tokens_of(api: ApiSettings) -> dict[str, tuple[str, Role]]:
    """The tokens that may ask, by their key in `api`, with their roles. Raises HTTPServiceUnavailable."""
    found = {}
    if api.token is not None:
        found["token"] = (_read(api.token), Role.STEER if "steer" in api.token_scopes else Role.READ)
    if api.read_token is not None:
        found["read_token"] = (_read(api.read_token), Role.READ)
    return found


def token_named(api: ApiSettings, sent: str) -> str | None:
    """The key of the token that was sent; None for a wrong one."""
    # bytes, because compare_digest refuses text outside ASCII
    given = sent.strip().encode(errors="surrogateescape")
    right = [key for key, (token, _) in tokens_of(api).items() if token and hmac.compare_digest(given, token.encode())]
    return right[0] if right else None


def _by_token(api: ApiSettings, given: str) -> Role:
    scheme, _, sent = given.partition(" ")
    key = token_named(api, sent)
    if scheme.lower() != "bearer" or key is None:
        raise web.HTTPForbidden
    return tokens_of(api)[key][1]


def _by_session(api: ApiSettings, request: web.Request, now: float) -> Role | None:
    cookie = request.cookies.get(sessions.name(request.url.port))
    if cookie is None:
        return None
    tokens = tokens_of(api)
    key = sessions.holder(cookie, {key: token for key, (token, _) in tokens.items() if token}, now)
    return None if key is None else tokens[key][1]


def _read(token: Secret) -> str:
    try:
        return token.read()
    except ConfigurationError as error:
        telemetry.logger().error("api_token_unreadable", problem=str(error))
        raise web.HTTPServiceUnavailable(reason="The token is not readable") from error


def knows_host(api: ApiSettings, host: str) -> bool:
    """Whether this name is ours. An address is what it is; a name may be anybody's, and be made to lead here."""
    name = _without_port(host).lower()
    if name in ("localhost", socket.gethostname().lower()):
        return True
    if api.socket is None and name == api.host.lower():
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def unknown_host(host: str) -> str:
    """What to answer to a request for a name that is not ours."""
    return f"the host {host} is not known here; use an IP address, localhost, or the name in api.listen"


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
