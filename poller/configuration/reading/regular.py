"""Reads regular files only: reading a pipe or a device could block for ever."""

import errno
import os
import stat
from pathlib import Path


def read_bytes(path: Path) -> bytes:
    """The content of the file. Raises OSError, also if it is no regular file."""
    # opening a pipe would block until another process writes to it
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mode = os.fstat(file).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "is no regular file", str(path))
        with open(file, "rb", closefd=False) as opened:
            return opened.read()
    finally:
        os.close(file)


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The same as text. Raises OSError and UnicodeDecodeError."""
    return read_bytes(path).decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
