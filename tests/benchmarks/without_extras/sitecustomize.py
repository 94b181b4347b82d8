"""On PYTHONPATH, hides the packages of the `fast` extra: the daemon then runs as it does where they are not installed."""

import sys
from importlib.abc import MetaPathFinder

_HIDDEN = {"uvloop", "orjson", "pybase64"}


class _Hide(MetaPathFinder):
    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in _HIDDEN:
            raise ModuleNotFoundError(f"{name} is hidden for this measurement", name=name)


sys.meta_path.insert(0, _Hide())
