"""Sessions of the page: a cookie that names the token by which somebody signed in, signed with that token.

Nothing is kept here, so a session outlives a restart, and every daemon with the same tokens knows it. It ends after
`SESSION_SECONDS`, or with another token. A cookie that this program has not made is none, so nobody can be given one.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping

SESSION_SECONDS = 12 * 3600
"""A working day."""
PREFIX = "poller-session-"
"""Begins the name of the cookie; the port follows, because browsers send a cookie to every port of a host."""


def name(port: int | None) -> str:
    """The cookie's name for requests to that port."""
    return f"{PREFIX}{port or 80}"


def make(key: str, token: str, now: float) -> str:
    """A new session of the holder of a token, which the configuration has under `key`. `now` is epoch seconds."""
    said = f"{key}.{int(now) + SESSION_SECONDS}.{secrets.token_urlsafe(12)}"
    return f"{said}.{_signature(said, token)}"


def holder(cookie: str, tokens: Mapping[str, str], now: float) -> str | None:
    """The key of the token by which the session was made; None for one that is over, or that was not made here."""
    said, _, signature = cookie.rpartition(".")
    key, _, rest = said.partition(".")
    until = rest.partition(".")[0]
    token = tokens.get(key)
    if token is None or not until.isascii() or not until.isdecimal():
        return None
    right = hmac.compare_digest(_signature(said, token).encode(), signature.encode(errors="surrogateescape"))
    return key if right and now < int(until) else None


def left_out(cookies: str) -> str:
    """The value of a Cookie header without sessions of the page: a function behind this address must not get them."""
    kept = [one for one in cookies.split(";") if not one.strip().startswith(PREFIX)]
    return ";".join(kept).strip()


def _signature(said: str, token: str) -> str:
    key = b"a session of the page of poller\0" + token.encode(errors="surrogateescape")
    return hmac.new(key, said.encode(errors="surrogateescape"), hashlib.sha256).hexdigest()
