"""The server's side of SCRAM-SHA-256 (RFC 7677), as MongoDB speaks it."""

import hmac
import os
from base64 import b64decode, b64encode
from hashlib import pbkdf2_hmac, sha256
from typing import Any

from bson.binary import Binary

ITERATIONS = 4096
"""The fewest that drivers accept."""
MECHANISM = "SCRAM-SHA-256"
FAILED = {"ok": 0.0, "errmsg": "Authentication failed.", "code": 18, "codeName": "AuthenticationFailed"}
UNAUTHORIZED = {"ok": 0.0, "errmsg": "command requires authentication", "code": 13, "codeName": "Unauthorized"}


class Conversation:
    """One connection's: `user` is who it has proved to be."""

    def __init__(self, users: dict[str, str]) -> None:
        self.user: str | None = None
        self._users = users
        self._claims = ""
        self._said = self._nonce = ""
        self._salt = os.urandom(16)

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """To `saslStart` and `saslContinue`."""
        payload = bytes(command["payload"]).decode()
        try:
            said, done = self._first(command, payload) if "saslStart" in command else (self._last(payload), True)
        except (LookupError, ValueError):
            return FAILED
        return {"ok": 1.0, "conversationId": 1, "done": done, "payload": Binary(said.encode())}

    def _first(self, command: dict[str, Any], payload: str) -> tuple[str, bool]:
        assert command["mechanism"] == MECHANISM
        bare = payload.removeprefix("n,,")
        parts = _parts(bare)
        self._claims = parts["n"].replace("=2C", ",").replace("=3D", "=")
        self._nonce = parts["r"] + b64encode(os.urandom(18)).decode()
        first = f"r={self._nonce},s={b64encode(self._salt).decode()},i={ITERATIONS}"
        self._said = f"{bare},{first}"
        return first, False

    def _last(self, payload: str) -> str:
        """Raises ValueError where the proof is not of the password."""
        parts, password = _parts(payload), self._users[self._claims]
        salted = pbkdf2_hmac("sha256", password.encode(), self._salt, ITERATIONS)
        said = f"{self._said},{payload.rpartition(',p=')[0]}".encode()
        key = _of(salted, b"Client Key")
        signature = _of(sha256(key).digest(), said)
        proof = bytes(one ^ other for one, other in zip(key, signature, strict=True))
        if parts["r"] != self._nonce or not hmac.compare_digest(proof, b64decode(parts["p"])):
            raise ValueError("another password")
        self.user = self._claims
        return f"v={b64encode(_of(_of(salted, b'Server Key'), said)).decode()}"


def _of(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _parts(text: str) -> dict[str, str]:
    return {name: value for name, _, value in (part.partition("=") for part in text.split(","))}
