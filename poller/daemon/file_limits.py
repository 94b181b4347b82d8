"""Raises the limit of open files and sockets to the machine's hard limit, within reason."""

import resource

ENOUGH = 65_536
"""Enough for two thousand mappings with thirty connections each. Some systems allow a billion, which means no limit."""


def raise_limit() -> int:
    """Raise the soft limit towards the hard one, and return it.

    The 1,024 of a login shell would end at about 500 mappings. A higher limit is left alone.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return ENOUGH
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
