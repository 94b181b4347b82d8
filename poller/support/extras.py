"""Tells whether an extra of this package is installed, and by which command it can be installed here."""

import json
from importlib.metadata import Distribution, PackageNotFoundError
from importlib.util import find_spec
from urllib.parse import unquote, urlsplit

MODULES = {
    "runtime": ("awslambdaric",),
    "postgresql": ("psycopg",),
    "documentdb": ("bson", "pymongo"),
    "otel": ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter"),
}
"""The modules of each extra that a configuration may ask for. Parent packages come first, because find_spec imports
them."""


def is_installed(extra: str) -> bool:
    """Whether all modules of the extra are installed. A configuration that asks for a missing extra is refused."""
    return all(find_spec(name) for name in MODULES[extra])


def how_to_install(extra: str) -> str:
    """The command to install an extra. The package is in no public index: it comes from its recorded origin."""
    origin = _origin()
    return f"pip install '{origin}[{extra}]'" if origin else f"pip install '.[{extra}]' in poller's source directory"


def _origin() -> str | None:
    """The directory or wheel on this machine that the package was installed from."""
    try:
        written = Distribution.from_name("poller").read_text("direct_url.json")
        address = urlsplit(json.loads(written or "{}").get("url", ""))
    except (PackageNotFoundError, ValueError):
        return None
    return unquote(address.path) if address.scheme == "file" else None
