"""The settings of `api` out of a configuration that cannot be loaded, for the commands that ask a running daemon.

Such a daemon may run with the configuration that was there before the files broke, so its address and token are taken
from the parts that can still be read.
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from poller.configuration.load import Groups, Loader, load
from poller.configuration.model.settings import ApiSettings
from poller.configuration.reading.documents import read_block
from poller.configuration.reading.files import search
from poller.configuration.reading.tree import Node
from poller.values.errors import ConfigurationError

_API = "api"


def read_api_leniently(paths: list[Path] | None, *, environ: Mapping[str, str]) -> tuple[ApiSettings | None, list[str]]:
    """The address at which a daemon of this configuration listens, and all problems of the configuration.

    The settings are None where the address cannot be read. A token that cannot be read is left
    out.
    """
    try:
        return load(paths, environ=environ).settings.api, []
    except ConfigurationError as error:
        problems = error.shown()
    loader = Loader(environ)
    searched = search(environ) if paths is None else paths
    groups = loader.read(loader.find(paths))
    readable = _salvaged(loader, groups)
    lost = len(groups) < len(searched) or any(len(roots) < len(group.files) for group, roots in readable)
    return _settings(loader.merged(readable, {}).get(_API), lost=lost), problems


def _salvaged(loader: Loader, groups: Groups) -> Groups:
    """The trees of all files. An unreadable file gives its `api` alone, or nothing."""
    salvaged = []
    for group, roots in groups:
        found = [read_block(file, _API) if root.broken else root for file, root in zip(group.files, roots, strict=True)]
        salvaged.append((group, [loader.spelled(root) for root in found if root is not None]))
    return salvaged


def _settings(api: Node | None, *, lost: bool) -> ApiSettings | None:
    if api is not None and not isinstance(api.value, dict):
        return None
    keys = {} if api is None else api.value
    listen = keys.get("listen")
    if lost if listen is None else listen.broken:
        return None
    usable = {key: node.plain() for key, node in keys.items() if key in ApiSettings.model_fields and not node.broken}
    try:
        return ApiSettings.model_validate(usable)
    except ValidationError as error:
        if any(detail["loc"] == ("listen",) for detail in error.errors()):
            return None
        # the token is the problem; the daemon's answer tells whether one is required
        without = {key: value for key, value in usable.items() if key != "token"}
        return ApiSettings.model_construct(**{**ApiSettings().model_dump(), **without})
