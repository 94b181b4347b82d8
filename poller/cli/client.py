"""A client of a running daemon's HTTP server, over TCP or a Unix socket.

It decides where the daemon listens, and how a missing or refused answer is reported to a person. The command decides
what an answer means. The standard library is enough, because a command asks one question at a time.
"""

import http.client
import json
import socket
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from poller.configuration.model.settings import ApiSettings
from poller.values.errors import ConfigurationError, PollerError

ORDER_TIMEOUT = 65.0
"""Seconds for the answer to what changes something: a member of a fleet waits for the others, a reload for the disk.
The daemon itself gives up after 60 s.
"""
TIMEOUT = 10.0
"""Seconds for connecting, and for each read of an answer to a look. A daemon whose loop lags half of that is already
unhealthy.
"""

_STANDARD_PHRASES = frozenset(status.phrase for status in HTTPStatus)
"""Stands for an answer that is not in the daemon's own words."""
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (recognised here, not listened on)


class NoAnswer(PollerError):
    """The daemon does not answer, or the answer is not a poller's. The command ends with 1."""


class ReloadRefused(PollerError):
    """The daemon refused the new configuration and runs on with the previous one. `problems` has one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("the changed configuration is refused, and what ran before runs on")
        self.problems = problems


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client:
    """Asks one daemon. `address` is `http://HOST:PORT`, `https://HOST:PORT` or `unix:PATH`; others raise
    ConfigurationError.
    """

    def __init__(self, address: str, token: str | None) -> None:
        self.address = address
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._connection = _connection(address)

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask once, and return status and body. Raises NoAnswer."""
        return self._ask("GET", path)

    def _ask(
        self, method: str, path: str, body: str | None = None, *, seconds: float = TIMEOUT, **headers: str
    ) -> tuple[int, bytes]:
        connected = False
        try:
            self._connection.connect()
            self._connection.sock.settimeout(seconds)
            connected = True
            self._connection.request(method, path, body=body, headers=self._headers | headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            if connected and isinstance(error, TimeoutError):
                done = "" if method == "GET" else "; what was asked may be done still: `poller actions` tells"
                raise NoAnswer(f"{self.address} did not answer within {seconds:g} s{done}") from error
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise NoAnswer(
                f"no poller answers at {self.address}: {reason}; is it running, and is this its api.listen? (see --api)"
            ) from error
        finally:
            self._connection.close()

    def status(self) -> dict[str, Any]:
        """Return the daemon's status. Raises NoAnswer, and ConfigurationError when the token is refused."""
        return self._known("/status", "mappings")

    def failures(self) -> dict[str, Any]:
        """Return the failures of functions, grouped by cause. Raises as `status` does."""
        return self._known("/failures", "mappings")

    def _known(self, path: str, member: str) -> dict[str, Any]:
        code, body = self.get(path)
        self._check_token(code)
        answer = _json(body)
        if code != HTTPStatus.OK or not isinstance(answer, dict) or member not in answer:
            raise NoAnswer(f"{self.address} answers {code}, not the status of a poller; is this its api.listen?")
        return answer

    def order(self, mapping: str, order: str, given: dict[str, Any]) -> dict[str, Any]:
        """Give an order for a mapping, and return its name, state and reason afterwards, and the impact. Raises
        NoAnswer, also when the daemon refuses, and ConfigurationError when the token is refused.
        """
        return self._post(f"/mappings/{quote(mapping, safe='')}/{order}", given)

    def actions(self) -> list[dict[str, Any]]:
        """Return the action log, the latest entry first. Raises as `status` does."""
        found: list[dict[str, Any]] = self._known("/actions", "actions")["actions"]
        return found

    def redrives(self) -> list[dict[str, Any]]:
        """Return how far redrives came, the latest first. Raises as `status` does."""
        found: list[dict[str, Any]] = self._known("/redrives", "redrives")["redrives"]
        return found

    def reload(self) -> dict[str, Any]:
        """Reload the configuration, and return the names of the mappings that were added, changed and removed. Raises
        as `order` does, and ReloadRefused.
        """
        return self._post("/reload")

    def _post(self, path: str, given: dict[str, Any] | None = None) -> dict[str, Any]:
        given_as, headers = json.dumps(given or {}), {"Content-Type": "application/json"}
        code, body = self._ask("POST", path, given_as, seconds=ORDER_TIMEOUT, **headers)
        answer = _json(body)
        if isinstance(answer, dict) and isinstance(problems := answer.get("problems"), list):
            raise ReloadRefused([str(line) for line in problems])
        problem = answer.get("error") if isinstance(answer, dict) else None
        if code != HTTPStatus.OK and problem not in (None, *_STANDARD_PHRASES):
            raise NoAnswer(f"{self.address}: {problem}")
        self._check_token(code)
        if code != HTTPStatus.OK or not isinstance(answer, dict) or "state" not in answer:
            raise NoAnswer(
                f"{self.address} answers {code}, which no poller of this version does; is this its api.listen?"
            )
        return answer

    def restart_function(self, name: str) -> None:
        """Restart a function's workers. Raises as `order` does."""
        self._post(f"/functions/{quote(name, safe='')}/restart")

    def _check_token(self, code: int) -> None:
        if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise ConfigurationError([f"{self.address} refuses the token; set api.token as the daemon has it"])


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _connection(address: str) -> http.client.HTTPConnection:
    if address.startswith("unix:") and address != "unix:":
        return _UnixConnection(address.removeprefix("unix:"))
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.path not in ("", "/"):
        raise ConfigurationError([f"--api {address}: must be http://HOST:PORT or unix:PATH"])
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(host, port, timeout=TIMEOUT)


def address_of(api: ApiSettings) -> str:
    """The address of a daemon with these settings, as this machine reaches it. Raises ConfigurationError."""
    if api.socket is not None:
        return f"unix:{api.socket}"
    if api.port == 0:
        raise ConfigurationError(
            ["api.listen has port 0, so the daemon chose one: give the address it logged as api_listening with --api"]
        )
    host = _WILDCARDS.get(api.host, api.host)
    return f"http://[{host}]:{api.port}" if ":" in host else f"http://{host}:{api.port}"
