"""Which requests all workers answer together. Every other one is whole with any one of them. Pure."""

from enum import StrEnum
from urllib.parse import unquote

from poller.workers.answers import Request


class Merged(StrEnum):
    """How the answers of all workers become one."""

    HEALTHZ = "healthz"
    READYZ = "readyz"
    METRICS = "metrics"
    STATUS = "status"
    MAPPING = "mapping"
    FAILURES = "failures"
    PARTS = "parts"
    """What the screens of the page show, which one worker asks for."""
    RELOAD = "reload"
    BY_ONE = "by_one"
    """An order about a mapping: the worker that gets it asks the others through the store."""
    BY_ALL = "by_all"


def merged(request: Request) -> Merged | None:
    """How a request is answered by all workers; None where one answers for all."""
    parts = [unquote(part) for part in request.path.strip("/").split("/")]
    if request.method == "POST":
        return _order(parts)
    return _look(parts, html=request.wants_html) if request.method == "GET" else None


def _look(parts: list[str], *, html: bool) -> Merged | None:
    match parts:
        case ["healthz" | "readyz" | "metrics" | "status" as what]:
            return Merged(what)
        case ["failures"] if not html:
            return Merged.FAILURES
        case ["page", "parts", "failures"]:
            return Merged.FAILURES
        case ["page", "parts"] | ["page", "parts", "mappings", _]:
            return Merged.PARTS
        case ["mappings", _] if not html:
            return Merged.MAPPING
    return None


def _order(parts: list[str]) -> Merged | None:
    match parts:
        case ["reload"]:
            return Merged.RELOAD
        case ["functions", _, "restart"]:
            return Merged.BY_ALL
        case ["mappings", _, _]:
            return Merged.BY_ONE
    return None
