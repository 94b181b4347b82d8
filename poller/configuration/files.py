"""Which files make the configuration. Decides the search order; reads nothing."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from poller.configuration.documents import SUFFIXES

SYSTEM = Path("/etc/poller")


@dataclass(frozen=True, slots=True)
class Group:
    """The files of one argument: one file, or a directory's in name order."""

    given: Path
    files: tuple[Path, ...]
    is_directory: bool = False


def search(environ: Mapping[str, str], system: Path = SYSTEM) -> list[Path]:
    """Where to look when no path is given: the first of these that is there."""
    if environ.get("POLLER_CONFIG"):
        return [Path(environ["POLLER_CONFIG"])]
    local = Path("poller.yaml")
    if local.exists():
        return [local]
    return [path for path in (system / "poller.yaml", system / "conf.d") if path.exists()]


def expand(paths: list[Path]) -> tuple[list[Group], list[str]]:
    """The files behind the paths, and what is wrong with the paths."""
    groups: list[Group] = []
    problems: list[str] = []
    seen: dict[Path, Path] = {}
    for path in paths:
        try:
            group = _group(path)
        except OSError as error:
            problems.append(f"{path}: cannot be read ({error.strerror or type(error).__name__})")
            continue
        groups.append(group)
        for file in group.files:
            first = seen.setdefault(real(file), path)
            if first is not path:
                problems.append(f"{file}: is read twice, by {first} and by {path}; name it once")
    return groups, problems


def real(path: Path) -> Path:
    """What links lead to. Unlike `Path.resolve`, links in a circle raise nothing: reading them says so."""
    return Path(os.path.realpath(path))


def _group(path: Path) -> Group:
    if not path.is_dir():
        path.stat()
        return Group(path, (path,))
    found = sorted(entry for entry in path.iterdir() if _counts(entry))
    return Group(path, tuple(found), is_directory=True)


def _counts(entry: Path) -> bool:
    """ConfigMap volumes hold `..data` and `..2026_…` beside the links that count."""
    return not entry.name.startswith(".") and entry.suffix.lower() in SUFFIXES and not entry.is_dir()
