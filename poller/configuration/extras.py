"""How to install an extra of this package, by a command that works where it stands."""

import json
from importlib.metadata import Distribution, PackageNotFoundError
from urllib.parse import unquote, urlsplit


def how_to_install(extra: str) -> str:
    """The package is in no public index: it is installed from where it came from, as pip wrote it down."""
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
