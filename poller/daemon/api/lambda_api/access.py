"""Whose call it is: a signature (Version 4) by one of `api.credentials`, or the bearer token.

Without either, a daemon that only this machine reaches takes any signature, since SDKs always sign. One must be there,
because that header makes a browser ask first; and the Host must be ours, and no Origin given.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from poller.aws.verification import BadSignature, Claim, Signed, check_scope, check_signature, read_claim
from poller.configuration import ApiSettings, Scope, Secret
from poller.daemon.api.access import knows_host, unknown_host
from poller.daemon.api.lambda_api.errors import LambdaError
from poller.support import telemetry
from poller.values.errors import ConfigurationError

SERVICE = "lambda"
"""For which calls have to be signed."""
ALL_SCOPES: frozenset[Scope] = frozenset(("read", "steer", "invoke"))


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller whose header reads well; `verify` once the body is there."""

    scopes: frozenset[Scope]
    region: str | None
    verify: Callable[[bytes], None]
    """Raises LambdaError."""


class Access:
    """Decides by the settings of `api`; `wall` tells the seconds since the epoch."""

    def __init__(self, api: ApiSettings, wall: Callable[[], float]) -> None:
        self._api = api
        self._wall = wall

    def caller(self, request: web.Request) -> Caller:
        """Everything that can be told without the body. Raises LambdaError."""
        given = request.headers.getall("Authorization", [])
        if len(given) != 1 or not given[0].strip():
            raise LambdaError("MissingAuthenticationTokenException", "Missing Authentication Token")
        scheme, _, sent = given[0].partition(" ")
        if scheme.lower() == "bearer" and self._api.token is not None:
            self._check_token(self._api.token, sent.strip())
            return Caller(frozenset(self._api.token_scopes), None, _nothing_more)
        try:
            claim = read_claim(given[0])
            if not self._api.credentials:
                return self._on_this_machine(request, claim)
            return self._signed(request, claim)
        except BadSignature as bad:
            raise LambdaError(bad.code, str(bad)) from bad

    def _check_token(self, token: Secret, sent: str) -> None:
        expected = _read(token)
        if not expected or not hmac.compare_digest(sent.encode(errors="surrogateescape"), expected.encode()):
            raise LambdaError("UnrecognizedClientException", "The security token included in the request is invalid.")

    def _on_this_machine(self, request: web.Request, claim: Claim) -> Caller:
        """Raises BadSignature and LambdaError."""
        if self._api.token is not None:
            text = "a call here is signed by one of api.credentials, of which there are none, or has the bearer token"
            raise LambdaError("UnrecognizedClientException", text)
        if "Origin" in request.headers:
            raise LambdaError("AccessDeniedException", "calls of web pages (with an Origin) need api.credentials")
        if self._api.socket is None and not knows_host(self._api, request.host):
            raise LambdaError("AccessDeniedException", unknown_host(request.host))
        if claim.service != SERVICE:
            check_scope(claim, {}, SERVICE, self._wall())
        return Caller(ALL_SCOPES, claim.region, _nothing_more)

    def _signed(self, request: web.Request, claim: Claim) -> Caller:
        """Raises BadSignature and LambdaError."""
        named = claim.access_key_id.encode()
        known = [one for one in self._api.credentials if hmac.compare_digest(one.access_key_id.encode(), named)]
        if not known:
            raise BadSignature("UnrecognizedClientException", "The security token included in the request is invalid.")
        headers = headers_of(request)
        check_scope(claim, headers, SERVICE, self._wall())
        secret = _read(known[0].secret_access_key)
        if not secret:
            raise BadSignature("UnrecognizedClientException", "The security token included in the request is invalid.")

        def verify(body: bytes) -> None:
            try:
                check_signature(claim, secret, Signed(request.method, request.raw_path, headers, body))
            except BadSignature as bad:
                raise LambdaError(bad.code, str(bad)) from bad

        return Caller(frozenset(known[0].scopes), claim.region, verify)


def _nothing_more(_body: bytes) -> None:
    """The header said everything."""


def headers_of(request: web.Request) -> Mapping[str, Sequence[str]]:
    """All values of each header, by its name in lower case."""
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name.lower(), []).append(value)
    return headers


def _read(secret: Secret) -> str:
    try:
        return secret.read()
    except ConfigurationError as error:
        telemetry.logger().error("api_secret_unreadable", problem=str(error))
        raise LambdaError("ServiceException", "A secret of the daemon's API is not readable", 503) from error
