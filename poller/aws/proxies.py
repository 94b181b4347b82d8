"""Finds the proxy for a URL, by the rules of the standard library, which the SDK follows too."""

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_for(url: str) -> str | None:
    """The proxy's URL, or None if the URL is reached directly."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return proxy if "://" in proxy else f"http://{proxy.removeprefix('//')}"


def any_proxy() -> bool:
    """Whether there is a proxy for any URL."""
    return not getproxies().keys().isdisjoint({"http", "https"})
