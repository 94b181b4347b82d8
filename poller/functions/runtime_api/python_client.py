"""The program of a worker with a Python handler: Lambda's own client of the Runtime API, and then the function's code.

The client is imported before the code's folder is on the path, as on Lambda: a function may have a `token.py` or a
`types.py` of its own, and the client needs the standard library's. This file is a program, and imports nothing of
poller.
"""

import importlib
import os
import sys
from pathlib import Path

CLIENT = "awslambdaric.__main__"
NEEDED_LATER = ("concurrent.futures.thread", "linecache", "tokenize", "traceback")
"""Modules that the client and the interpreter otherwise import only after a failure, or with the first invocation."""


def main() -> None:
    """Ask for invocations and give them to the handler that the first argument names, until the process is ended."""
    added = [str(Path(path).absolute()) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    path = list(sys.path)
    sys.path[:] = [entry for entry in path if entry not in added]
    try:
        client = importlib.import_module(CLIENT)
    except ModuleNotFoundError:
        # it is one of the packages that PYTHONPATH brings
        sys.path[:] = path
        client = importlib.import_module(CLIENT)
    for name in NEEDED_LATER:
        importlib.import_module(name)
    sys.path[:] = [str(Path.cwd()), *path]
    client.main(sys.argv)


if __name__ == "__main__":
    main()
