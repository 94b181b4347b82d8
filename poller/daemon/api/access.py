"""Who may ask the HTTP server: the token, and the name by which it was called.

Health and readiness answer anybody, and say nothing but yes or no. Everything else wants the token, where there is one;
where there is none, it wants to be called by an address or a name that is certainly this machine's, since a web page
can make any name of its own lead here.
"""

import hmac
import ipaddress
import socket
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from poller.configuration.model.settings import ApiSettings
from poller.configuration.reading.secrets import Secret
from poller.support import telemetry
from poller.values.errors import ConfigurationError

OPEN_TO_ALL = frozenset({"/healthz", "/readyz"})
OWN_ACCESS = "own_access"
"""Begins the names of routes that decide for themselves who may ask."""


def checked(api: ApiSettings) -> Middleware:
    """What lets a request through, or answers 401, 403, 421 or 503."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        own = (request.match_info.route.name or "").startswith(OWN_ACCESS)
        if request.path not in OPEN_TO_ALL and not own:
            if api.token is not None:
                _check(api.token, request.headers.get("Authorization", ""))
            elif api.socket is None and not knows_host(api, request.host):
                return web.json_response({"error": unknown_host(request.host)}, status=HTTPStatus.MISDIRECTED_REQUEST)
        return await handler(request)

    return check


def _check(token: Secret, given: str) -> None:
    try:
        expected = token.read()
    except ConfigurationError as error:
        telemetry.logger().error("api_token_unreadable", problem=str(error))
        raise web.HTTPServiceUnavailable(reason="The token is not readable") from error
    scheme, _, sent = given.partition(" ")
    if not given:
        raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
    # bytes, because compare_digest refuses text outside ASCII
    right = hmac.compare_digest(sent.strip().encode(errors="surrogateescape"), expected.encode())
    if scheme.lower() != "bearer" or not expected or not right:
        raise web.HTTPForbidden


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
