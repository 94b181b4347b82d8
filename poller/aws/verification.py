"""Verifies Signature Version 4 of requests that others send to us: the other side of `signer`.

Raises `BadSignature` with AWS's own code and text, so that a client's log reads as it would of AWS.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from poller.aws.signer import canonical_path

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW_SECONDS = 300.0
"""A signature is good for 5 minutes before and after its time, as with AWS."""
LONGEST_HEADER = 4096
"""Characters of an Authorization header; a client's has some 250."""
_UNRESERVED = "-_.~"
_DATE = re.compile(r"\d{8}T\d{6}Z")
_CREDENTIAL = re.compile(r"([\w]{1,128})/(\d{8})/([a-z0-9-]{1,64})/([a-z0-9-]{1,64})/aws4_request", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_HEADER_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,128}")

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


class BadSignature(Exception):
    """The request is not signed as it must be; `code` is AWS's."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Signed(NamedTuple):
    """A request as far as its signature covers it."""

    method: str
    target: str
    """Path and query as sent."""
    headers: Mapping[str, Sequence[str]]
    """The values of each header, by its name in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """What an Authorization header says."""

    access_key_id: str
    day: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str


def read_claim(authorization: str) -> Claim:
    """Raises BadSignature."""
    algorithm, _, rest = authorization[:LONGEST_HEADER].partition(" ")
    if algorithm != ALGORITHM or len(authorization) > LONGEST_HEADER:
        raise BadSignature("IncompleteSignatureException", f"the Authorization header must begin with {ALGORITHM}")
    parts = dict(map(_pair, rest.split(",")))
    for name in ("Credential", "Signature", "SignedHeaders"):
        if not parts.get(name):
            raise BadSignature("IncompleteSignatureException", f"Authorization header requires '{name}' parameter.")
    key, day, region, service = _credential(parts["Credential"])
    return Claim(key, day, region, service, _names(parts["SignedHeaders"]), parts["Signature"])


@lru_cache(maxsize=64)
def _credential(text: str) -> tuple[str, ...]:
    """Key id, day, region and service: the same for all calls of a client in a day. Raises BadSignature."""
    found = _CREDENTIAL.fullmatch(text)
    if found is None:
        problem = "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term"
        raise BadSignature("IncompleteSignatureException", problem)
    return found.groups()


@lru_cache(maxsize=64)
def _names(text: str) -> tuple[str, ...]:
    """The signed headers, which a client signs in every call. Raises BadSignature."""
    names = tuple(text.split(";"))
    if not all(map(_HEADER_NAME.fullmatch, names)) or list(names) != sorted(set(names)):
        raise BadSignature("IncompleteSignatureException", "SignedHeaders must be sorted names in lower case")
    return names


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.strip().partition("=")
    return name, value


def check_scope(claim: Claim, headers: Mapping[str, Sequence[str]], service: str, now: float) -> None:
    """Service, time and the headers that have to be signed. `now` in seconds since the epoch. Raises BadSignature."""
    if claim.service != service:
        text = f"Credential should be scoped to correct service: '{service}'. "
        raise BadSignature("InvalidSignatureException", text)
    stamp = _only(headers, "x-amz-date")
    if _DATE.fullmatch(stamp) is None:
        text = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        raise BadSignature("IncompleteSignatureException", text)
    _check_time(claim, stamp, now)
    for name in headers:
        # an unsigned one could be put in on the way
        if (name == "host" or name.startswith("x-amz-")) and name not in claim.signed_headers:
            raise BadSignature("InvalidSignatureException", f"'{name}' must be a 'SignedHeader' in the Authorization.")


def _check_time(claim: Claim, stamp: str, now: float) -> None:
    if stamp[:8] != claim.day:
        text = "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP"
        raise BadSignature("InvalidSignatureException", text)
    try:
        signed_at = _epoch(stamp)
    except ValueError as error:
        raise BadSignature("IncompleteSignatureException", f"'{stamp}' is no date") from error
    minutes = f"{SKEW_SECONDS / 60:.0f} min."
    if signed_at < now - SKEW_SECONDS:
        text = (
            f"Signature expired: {stamp} is now earlier than {_stamp(now - SKEW_SECONDS)} ({_stamp(now)} - {minutes})"
        )
        raise BadSignature("InvalidSignatureException", text)
    if signed_at > now + SKEW_SECONDS:
        text = f"Signature not yet current: {stamp} is still later than {_stamp(now + SKEW_SECONDS)} "
        raise BadSignature("InvalidSignatureException", f"{text}({_stamp(now)} + {minutes})")


@lru_cache(maxsize=64)
def _epoch(stamp: str) -> float:
    """The same for all calls of a second. Raises ValueError."""
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _stamp(seconds: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def _only(headers: Mapping[str, Sequence[str]], name: str) -> str:
    """The value of a header that is there once; "" otherwise."""
    values = headers.get(name, ())
    return values[0] if len(values) == 1 else ""


def check_signature(claim: Claim, secret: str, request: Signed) -> None:
    """Compare in constant time. Raises BadSignature."""
    scope = f"{claim.day}/{claim.region}/{claim.service}/aws4_request"
    stamp = _only(request.headers, "x-amz-date")
    canonical = sha256(_canonical(claim, request).encode("utf-8", "surrogateescape")).hexdigest()
    key = _signing_key(secret, claim.day, claim.region, claim.service)
    expected = hmac_digest(key, f"{ALGORITHM}\n{stamp}\n{scope}\n{canonical}".encode(), "sha256").hex()
    if _SIGNATURE.fullmatch(claim.signature) is None or not compare_digest(expected, claim.signature):
        raise BadSignature("InvalidSignatureException", MISMATCH)


@lru_cache(maxsize=16)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """The same for all calls of a day with one credential."""
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac_digest(key, part.encode(), "sha256")
    return key


def _canonical(claim: Claim, request: Signed) -> str:
    path, _, query = request.target.partition("?")
    headers = "".join(
        f"{name}:{','.join(' '.join(value.split()) for value in request.headers.get(name, ()))}\n"
        for name in claim.signed_headers
    )
    names = ";".join(claim.signed_headers)
    return "\n".join(
        (
            request.method,
            _canonical_path(path),
            _canonical_query(query) if query else "",
            headers,
            names,
            sha256(request.body).hexdigest(),
        )
    )


_canonical_path = lru_cache(maxsize=64)(canonical_path)


def _canonical_query(query: str) -> str:
    """Sorted by name, then value; each encoded the one way that the rules know, however it was sent."""
    pairs = sorted((_encoded(name), _encoded(value)) for name, _, value in (p.partition("=") for p in query.split("&")))
    return "&".join(f"{name}={value}" for name, value in pairs if name or value)


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe=_UNRESERVED)
