"""How tables reach the terminal, or the pipe."""

from rich.console import Console
from rich.table import Table

PIPE_WIDTH = 200
"""Columns where the output is no terminal, so that nothing is cut."""


def console() -> Console:
    """Build the console for standard output, as it is now."""
    # a name in brackets is a name, not a colour
    made = Console(markup=False, highlight=False)
    if not made.is_terminal:
        made.width = PIPE_WIDTH
    return made


def table(*columns: str) -> Table:
    """Build a table without lines, whose cells a script can still split."""
    return Table(*columns, box=None, pad_edge=False)
