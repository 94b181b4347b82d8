"""Finds the files of the configuration, in search order. It reads none of them."""

import os
import pwd
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from poller.configuration.reading.documents import SUFFIXES

SYSTEM = Path("/etc/poller")
LOCAL = Path("poller.yaml")
_IMPLICIT = "and is read only because it lies in the working directory"


@dataclass(frozen=True, slots=True)
class Group:
    """The files of one argument: one file, or a directory's in name order."""

    given: Path
    files: tuple[Path, ...]
    is_directory: bool = False


def search(environ: Mapping[str, str], system: Path = SYSTEM) -> list[Path]:
    """The paths to read when none is given: the first of the usual places that exists."""
    if environ.get("POLLER_CONFIG"):
        return [Path(environ["POLLER_CONFIG"])]
    if LOCAL.exists():
        return [LOCAL]
    return [path for path in _system(system) if path.exists()]


def nothing_found(system: Path = SYSTEM) -> str:
    places = ", ".join(map(str, (LOCAL.absolute(), *_system(system))))
    return f"no configuration was found; looked at: $POLLER_CONFIG (not set), {places}; name one with --config"


def _system(system: Path) -> tuple[Path, Path]:
    return system / "poller.yaml", system / "conf.d"


def distrust(path: Path, remedy: str) -> str | None:
    """The reason not to read a file that the user did not name. Another user may have placed it there, and its
    endpoints could receive secrets.
    """
    try:
        link, file = path.lstat(), path.stat()
    except OSError:
        return None
    for owner in (link.st_uid, file.st_uid):
        if owner not in (0, os.geteuid()):
            return f"{path}: belongs to {_name_of(owner)}, neither you nor root, {_IMPLICIT}; {remedy}"
    if file.st_mode & stat.S_IWOTH:
        return f"{path}: may be written to by everybody, {_IMPLICIT}; chmod o-w it, or {remedy}"
    return None


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def expand(paths: list[Path]) -> tuple[list[Group], list[str]]:
    """The files of the paths, and the problems of the paths."""
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
    """The target of links. Unlike `Path.resolve` it does not raise for circular links: reading them reports it."""
    return Path(os.path.realpath(path))


def _group(path: Path) -> Group:
    if not path.is_dir():
        path.stat()
        return Group(path, (path,))
    found = sorted(entry for entry in path.iterdir() if _counts(entry))
    return Group(path, tuple(found), is_directory=True)


def _counts(entry: Path) -> bool:
    """Whether an entry is read. ConfigMap volumes hold `..data` and `..2026_…` beside the links that are."""
    return not entry.name.startswith(".") and entry.suffix.lower() in SUFFIXES and not entry.is_dir()
