"""The values of an exchange: its origin and its reply."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar, overload
from urllib.parse import urlsplit

from poller.values.errors import ConfigurationError

Default = TypeVar("Default")

DEFAULT_PORTS = {"http": 80, "https": 443}

_NAMES: dict[bytes, str] = {}
"""Cache of header names in lower case. Servers always send the same few dozen names."""
_MOST_NAMES = 1024
"""Maximum of cached names, in case a server invents names without end."""


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
    """Headers: lower-case names, values as Latin-1 text. Parsed at the first access, because most are never read."""

    __slots__ = ("_raw", "_values")

    def __init__(self, raw: dict[bytes, bytes]) -> None:
        self._raw = raw
        self._values: dict[str, bytes] | None = None

    def _build(self) -> dict[str, bytes]:
        values = {}
        for name, value in self._raw.items():
            text = _NAMES.get(name)
            if text is None:
                text = name.decode("latin-1").lower()
                if len(_NAMES) < _MOST_NAMES:
                    _NAMES[name] = text
            values[text] = value
        self._values = values
        return values

    def __getitem__(self, name: str) -> str:
        values = self._values
        return (self._build() if values is None else values)[name].strip(b" \t").decode("latin-1")

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    @overload
    def get(self, name: str, default: Default) -> str | Default: ...
    def get(self, name: str, default: object = None) -> object:
        """Like the inherited method, but without its KeyError, because most requested headers are absent."""
        values = self._values
        value = (self._build() if values is None else values).get(name)
        return default if value is None else value.strip(b" \t").decode("latin-1")

    def __contains__(self, name: object) -> bool:
        values = self._values
        return name in (self._build() if values is None else values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._build())

    def __len__(self) -> int:
        return len(self._build())


@dataclass(slots=True)
class Reply:
    """A complete answer."""

    status: int
    headers: Mapping[str, str]
    """Header names in lower case."""
    body: bytes
