"""Whether the environment sends a URL through a proxy: by the rules the SDK follows. Pure."""

from collections.abc import Mapping
from urllib.parse import urlsplit


def proxy_for(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy's URL, or None where the URL is reached directly.

    `http_proxy` and `https_proxy` by the URL's scheme; names in lower case win. NO_PROXY holds `*`, or hosts with or
    without port, each standing for its subdomains too.
    """
    parts = urlsplit(url)
    proxy: str | None = _setting(environ, f"{parts.scheme}_proxy")
    if parts.scheme == "http" and "REQUEST_METHOD" in environ:
        # under CGI a client's `Proxy:` header becomes HTTP_PROXY
        proxy = environ.get("http_proxy")
    if not proxy:
        return None
    if _is_direct(parts.netloc.rpartition("@")[2].lower(), _setting(environ, "no_proxy").lower()):
        return None
    return proxy if "://" in proxy else f"http://{proxy.removeprefix('//')}"


def _is_direct(netloc: str, no_proxy: str) -> bool:
    if no_proxy.strip() == "*":
        return True
    host = netloc if netloc.endswith("]") else netloc.rpartition(":")[0] or netloc
    for name in (name.strip().lstrip(".") for name in no_proxy.split(",")):
        if name and any(place == name or place.endswith("." + name) for place in (netloc, host)):
            return True
    return False


def _setting(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""
