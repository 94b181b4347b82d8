"""The summary of the demo, for people."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from poller.demo.account import Facts, StreamFacts, problems, sentence, stream_sentence


def render(facts: Facts) -> RenderableType:
    """Render the account of every order, and the one line that sums it up."""
    wrong = problems(facts)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    table.add_column("orders")
    table.add_column("", justify="right")
    table.add_column("witness", style="dim")
    for name, number, witness, style in _rows(facts):
        table.add_row(Text(name, style=style), Text(f"{number:,}", style=style), witness)
    lines: list[RenderableType] = [Text(), table, Text(), *_daemon(facts), Text()]
    lines += [line for stream in facts.streams for line in _stream(stream)]
    lines += [Text(f"  ✘ {problem}", style="red") for problem in wrong]
    verdict = Text(f"{'✘' if wrong else '✔'} {sentence(facts)}", style="bold red" if wrong else "bold green")
    return Group(*lines, Text(), verdict)


def _rows(facts: Facts) -> list[tuple[str, int, str, str]]:
    ledger, again = facts.ledger, facts.ledger.shipped.total() - facts.delivered
    rows = [
        ("produced", len(facts.produced), "what SendMessageBatch took", "bold"),
        ("delivered", facts.delivered, "the function's own ledger", "green"),
        ("  at the first receive", facts.delivered - facts.retried, "", "dim"),
        ("  retried", facts.retried, f"{ledger.failed.total():,} failed receives in all", "dim"),
    ]
    if again:
        rows.append(("  delivered again", again, "at least once is the promise", "yellow"))
    dead = f"order {', '.join(map(str, sorted(facts.dead)))}: failed on every receive" if facts.dead else ""
    return [
        *rows,
        ("in the dead-letter queue", len(facts.dead), dead, "yellow" if facts.dead else ""),
        ("left in the queue", facts.left, "", "red" if facts.left else ""),
        ("unaccounted", facts.unaccounted, "", "bold red" if facts.unaccounted else "bold"),
    ]


def _stream(facts: StreamFacts) -> list[Text]:
    ledger = facts.ledger
    lines = [Text(stream_sentence(facts), style="bold")]
    if facts.given_up:
        numbers = ", ".join(map(str, sorted(facts.given_up)))
        said = f"record {numbers}: {ledger.crashed:,} invocations failed, each with a smaller batch, until it was alone"
        lines.append(Text(f"          {said}", style="yellow"))
    if facts.daemon is not None:
        account = facts.daemon
        given_up = account["on_failure_destination_delivered"]
        counted = f"{account['polled']:,} read = {account['delivered']:,} delivered + {given_up:,} given up"
        lines.append(
            Text(f"poller:   {counted} + {account['returned']:,} returned, {account['unaccounted']:,} unaccounted")
        )
    return lines


def _daemon(facts: Facts) -> list[Text]:
    ledger = facts.ledger
    each = (ledger.shipped.total() + ledger.failed.total()) / ledger.batches if ledger.batches else 0.0
    lines = [
        Text(f"function: {ledger.batches:,} batches of {each:.1f} orders, {ledger.crashed:,} of them failed as a whole")
    ]
    if facts.daemon is not None:
        account = facts.daemon
        lines += [
            Text(
                f"poller:   {account['polled']:,} receives = {account['delivered']:,} delivered"
                f" + {account['returned']:,} returned + {account['in_flight']:,} in flight"
            ),
            Text(f"          {account['deleted']:,} deleted, {account['unaccounted']:,} unaccounted"),
        ]
    return lines
