"""Where a URL leads."""

import pytest

from poller.http import Origin
from poller.values.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "origin", "host_header"),
    [
        ("http://a.b", ("http", "a.b", 80), "a.b"),
        ("https://A.b:443/path", ("https", "a.b", 443), "a.b"),
        ("http://a.b:443", ("http", "a.b", 443), "a.b:443"),
        ("http://user:word@127.0.0.1:4566/", ("http", "127.0.0.1", 4566), "127.0.0.1:4566"),
        ("http://[::1]:9324", ("http", "::1", 9324), "[::1]:9324"),
        ("https://bücher.example", ("https", "xn--bcher-kva.example", 443), "xn--bcher-kva.example"),
    ],
)
def test_scheme_host_and_port_are_taken_from_the_url(url: str, origin: tuple[str, str, int], host_header: str) -> None:
    found = Origin.of(url)
    assert found == origin
    assert found.host_header == host_header
    assert str(found) == f"{origin[0]}://{host_header}"


@pytest.mark.parametrize("url", ["", "nowhere", "ftp://a", "http://", "http:///path", "http://a:port", "http://[::1"])
def test_what_is_no_url_is_the_users_mistake(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a URL"):
        Origin.of(url)
