"""Raises the limit of open files and sockets to the machine's hard limit, within reason."""

import resource

ENOUGH = 65_536
"""Two thousand mappings with thirty connections each. Some systems allow a billion, which means no limit at all."""


def raise_limit() -> int:
    """Raise the soft limit as far as the hard one, and return it. A login shell's 1,024 would end at some 500 mappings.

    A limit that is higher already is left alone.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return ENOUGH
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
