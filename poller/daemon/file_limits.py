"""How many files and sockets this process may have open: as many as the machine allows, within reason."""

import resource

ENOUGH = 65_536
"""Two thousand mappings with thirty connections each. Some systems allow a billion, which is no plan but an absence."""


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
