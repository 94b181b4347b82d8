"""The table of what a fleet came to, for a terminal and for the documents."""

from collections.abc import Mapping

from tests.proof.scenarios import Outcome

HEAD = ("what happens", "records", "lost", "duplicates", "out of order", "longest gap", "store writes a minute")


def table(outcomes: Mapping[str, Outcome]) -> str:
    """The scenarios as Markdown."""
    rows = [
        (
            name,
            f"{one.records:,}",
            f"{one.lost}",
            f"{one.duplicates}",
            f"{one.out_of_order}",
            f"{one.gap:.1f} s",
            "" if one.writes is None else f"{one.writes:.0f}",
        )
        for name, one in outcomes.items()
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (HEAD, ("---",) * len(HEAD), *rows)) + "\n"
