"""The values of an exchange: its origin and its reply."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar, overload
from urllib.parse import urlsplit

from poller.values.errors import ConfigurationError

Default = TypeVar("Default")

DEFAULT_PORTS = {"http": 80, "https": 443}

_LAYOUTS: dict[tuple[bytes, ...], dict[str, bytes]] = {}
"""Cache of the names of an answer's headers: by the names as they were sent, those in lower case with the ones sent.
Servers send the same few sets of names again and again."""
_MOST_LAYOUTS = 256
"""Maximum of cached sets, in case a server invents names without end."""


class Origin(NamedTuple):
    """Scheme, host and port: the target of a pool of connections."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """Parse an http(s) URL. Raises ConfigurationError for any other text."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ConfigurationError([f"{url!r} is not a URL: {error}"]) from None
        if parts.scheme not in DEFAULT_PORTS or not host:
            raise ConfigurationError([f"{url!r} is not a URL of the form http(s)://host[:port]"])
        try:
            host.encode("ascii")
        except UnicodeEncodeError:
            host = host.encode("idna").decode("ascii")
        return cls(parts.scheme, host, DEFAULT_PORTS[parts.scheme] if port is None else port)

    @property
    def host_header(self) -> str:
        """The value of the Host header, also for signatures: with the port only if it is not the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host_header}"


class Headers(Mapping[str, str]):
    """Headers: lower-case names, values as Latin-1 text. Read only when asked for, because most never are."""

    __slots__ = ("_names", "_raw")

    def __init__(self, raw: dict[bytes, bytes]) -> None:
        self._raw = raw
        self._names: dict[str, bytes] | None = None
        """By the name in lower case, the name as it was sent; where two differ in case alone, the last."""

    def _read_names(self) -> dict[str, bytes]:
        sent = tuple(self._raw)
        names = _LAYOUTS.get(sent)
        if names is None:
            names = {name.decode("latin-1").lower(): name for name in sent}
            if len(_LAYOUTS) < _MOST_LAYOUTS:
                _LAYOUTS[sent] = names
        self._names = names
        return names

    def __getitem__(self, name: str) -> str:
        names = self._names
        sent = (self._read_names() if names is None else names)[name]
        return self._raw[sent].strip(b" \t").decode("latin-1")

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    @overload
    def get(self, name: str, default: Default) -> str | Default: ...
    def get(self, name: str, default: object = None) -> object:
        """Like the inherited method, but without its KeyError, because most requested headers are absent."""
        names = self._names
        sent = (self._read_names() if names is None else names).get(name)
        return default if sent is None else self._raw[sent].strip(b" \t").decode("latin-1")

    def __contains__(self, name: object) -> bool:
        names = self._names
        return name in (self._read_names() if names is None else names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._read_names())

    def __len__(self) -> int:
        return len(self._read_names())


@dataclass(slots=True)
class Reply:
    """A complete answer."""

    status: int
    headers: Mapping[str, str]
    """Header names in lower case."""
    body: bytes
