"""Signature Version 4, optimised for requests that differ only in their body.

Everything that does not depend on the body is computed once a second, the signing key once a day, and an unchanged
small body (a receive) is signed once a second: the signature has no nonce, so equal requests within a second are equal
bytes.
"""

import time
from collections.abc import Callable
from hashlib import sha256
from hmac import digest as hmac_digest
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from poller.aws.port import Operation

SMALL_BODY = 512
"""Bytes. Signed requests with smaller bodies are cached for their second: receives are smaller, deletes are not."""
HMAC_BLOCK = 64
"""Block size of SHA-256 in bytes, to which HMAC pads its key."""
MAX_KEPT = 64
"""Maximum of signed requests cached per operation and second."""


class Credentials(NamedTuple):
    access_key: str
    secret_key: str
    token: str | None = None


class _Prepared:
    """The part of an operation's request that does not depend on its body."""

    __slots__ = ("canonical", "kept", "wire")

    def __init__(self, canonical: bytes, wire: bytes) -> None:
        self.canonical = sha256(canonical)
        self.wire = wire
        self.kept: dict[bytes, bytes] = {}


class Signer:
    """Signs requests to one endpoint of one service."""

    def __init__(
        self,
        signing_name: str,
        region: str,
        endpoint_url: str,
        credentials: Credentials,
        *,
        signed_headers: tuple[tuple[str, str], ...] = (),
        unsigned_headers: tuple[tuple[str, str], ...] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        """`endpoint_url` may have a path, which precedes the operation's path."""
        parts = urlsplit(endpoint_url)
        self._prefix = parts.path.rstrip("/")
        self._host = parts.netloc.rpartition("@")[2].lower()
        default = ":443" if parts.scheme == "https" else ":80"
        self._host = self._host.removesuffix(default)
        self._signing_name = signing_name
        self._region = region
        self._signed_headers = signed_headers
        self._unsigned = "".join(f"{name}: {value}\r\n" for name, value in unsigned_headers)
        self._now = now
        self.skew = 0.0
        self.use(credentials)

    def use(self, credentials: Credentials) -> None:
        """Use these credentials from now on."""
        self.credentials = credentials
        self._second, self._day = -1, ""
        self._prepared: dict[Operation, _Prepared] = {}

    def correct(self, skew: float) -> None:
        """Set the `skew`: seconds to add to our clock to get the service's."""
        self.skew = skew
        self._second = -1

    def request(self, operation: Operation, body: bytes, trace: str | None = None) -> bytes:
        """The whole request, signed for `now`. `trace` is not signed, because intermediaries may change it."""
        second = int(self._now() + self.skew)
        if second != self._second:
            self._tick(second)
        prepared = self._prepared.get(operation)
        if prepared is None:
            prepared = self._prepare(operation)
        small = trace is None and len(body) <= SMALL_BODY
        if small:
            kept = prepared.kept.get(body)
            if kept is not None:
                return kept
        canonical = prepared.canonical.copy()
        canonical.update(sha256(body).hexdigest().encode())
        inner = self._inner.copy()
        inner.update(canonical.hexdigest().encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        signature = outer.hexdigest().encode()
        traced = b"" if trace is None else b"x-amzn-trace-id: %b\r\n" % trace.encode("ascii")
        request = b"%b%b\r\n%bcontent-length: %d\r\n\r\n%b" % (prepared.wire, signature, traced, len(body), body)
        if small and len(prepared.kept) < MAX_KEPT:
            prepared.kept[body] = request
        return request

    def _tick(self, second: int) -> None:
        self._second = second
        self._stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        day = self._stamp[:8]
        if day != self._day:
            key = ("AWS4" + self.credentials.secret_key).encode()
            for part in (day, self._region, self._signing_name, "aws4_request"):
                key = hmac_digest(key, part.encode(), "sha256")
            self._day, self._key = day, key
            self._scope = f"{day}/{self._region}/{self._signing_name}/aws4_request"
        # HMAC by hand, because requests of one second share the beginning of its two hashes, which is cached
        key = self._key.ljust(HMAC_BLOCK, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in key))
        self._inner.update(f"AWS4-HMAC-SHA256\n{self._stamp}\n{self._scope}\n".encode())
        self._outer = sha256(bytes(byte ^ 0x5C for byte in key))
        self._prepared.clear()

    def _prepare(self, operation: Operation) -> _Prepared:
        target = self._prefix + operation.path
        headers = [("content-type", operation.content_type), ("host", self._host), ("x-amz-date", self._stamp)]
        headers += [(name.lower(), value) for name, value in self._signed_headers + operation.headers]
        if self.credentials.token:
            headers.append(("x-amz-security-token", self.credentials.token))
        if operation.target:
            headers.append(("x-amz-target", operation.target))
        headers.sort()
        names = ";".join(name for name, _ in headers)
        path, _, query = target.partition("?")
        canonical_headers = "".join(f"{name}:{' '.join(value.split())}\n" for name, value in headers)
        canonical = f"POST\n{canonical_path(path)}\n{_canonical_query(query)}\n{canonical_headers}\n{names}\n"
        wire = (
            f"POST {target} HTTP/1.1\r\n"
            + "".join(f"{name}: {value}\r\n" for name, value in headers)
            + self._unsigned
            + f"authorization: AWS4-HMAC-SHA256 Credential={self.credentials.access_key}/{self._scope}, "
            f"SignedHeaders={names}, Signature="
        )
        prepared = self._prepared[operation] = _Prepared(canonical.encode(), wire.encode())
        return prepared


def canonical_path(path: str) -> str:
    """The path as sent, without empty and dot segments, percent-encoded again (as all services but S3 require)."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    trailing = "/" if path.endswith("/") and segments else ""
    return quote("/" + "/".join(segments) + trailing, safe="/~")


def _canonical_query(query: str) -> str:
    """The query sorted by name, then value; encoded as sent."""
    if not query:
        return ""
    pairs = sorted((name, value) for name, _, value in (part.partition("=") for part in query.split("&")))
    return "&".join(f"{name}={value}" for name, value in pairs)
