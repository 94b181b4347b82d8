"""`python -m tests.benchmarks.stores [--rounds 3]`: what keeping positions costs on a busy shard, store by store.

One daemon reads four shards of Kinesis in batches of 100, with its positions in memory, in a file, in a PostgreSQL of its
own and in a local DynamoDB. The CPU is the daemon's alone. Wants a PostgreSQL server and the extra `demo`.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from uuid import uuid4

import psycopg
from rich.console import Console
from rich.table import Table

from poller.demo import local_aws
from poller.state.dynamodb.table import FORM
from tests.benchmarks.cases import LEAN, Case
from tests.benchmarks.measure import Result, measure
from tests.servers.account import Account
from tests.servers.postgresql import postgresql
from tests.servers.process import free_port, server

RECORDS, BATCH, SHARDS = 60_000, 100, 4
FILE = "file"
"""What the others are compared with."""


@contextmanager
def dynamodb(folder: Path) -> Iterator[Account]:
    """A local DynamoDB, as the account of the benchmarks' access key."""
    port = free_port()
    command = [str(Path(sys.executable).parent / "ministack")]
    with server(command, port, "/_ministack/ready", folder, local_aws.environment(port, folder)) as url:
        account = Account(url, "000000000000", "us-east-1", access_key="AKIDEXAMPLE")
        yield account
        account.close()


def cases(folder: Path, database: str, account: Account) -> list[Case]:
    """One of each store, empty."""
    name = uuid4().hex
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{name}"'.encode())
    account.client("dynamodb").create_table(TableName=name, **FORM)
    return [
        case("memory", "memory:"),
        case(FILE, f"sqlite:///{folder}/{name}.db"),
        case("PostgreSQL", f"{database}?options=-csearch_path%3D{name}"),
        case("DynamoDB", f"dynamodb://{name}?region=us-east-1", account.url),
    ]


def case(name: str, state: str, endpoint: str = "") -> Case:
    return Case(
        name,
        RECORDS,
        "lean",
        LEAN,
        source="kinesis",
        batch_size=BATCH,
        shards=SHARDS,
        state=state,
        state_endpoint=endpoint,
    )


def shown(results: dict[str, list[Result]]) -> Table:
    """Medians of the rounds."""
    found = Table(title=f"Positions on a busy shard, batches of {BATCH}", title_justify="left")
    for heading in ("store", "CPU us a record", "against a file", "ms a batch", "more than a file"):
        found.add_column(heading, justify="left" if heading == "store" else "right")
    cpu = {name: median(1e6 * one.cpu_seconds / RECORDS for one in each) for name, each in results.items()}
    wait = {
        name: median(1000 * SHARDS * BATCH / one.messages_per_second for one in each) for name, each in results.items()
    }
    for name in results:
        more = wait[name] - wait[FILE]
        found.add_row(name, f"{cpu[name]:.2f}", f"{cpu[name] / cpu[FILE]:.2f}", f"{wait[name]:.2f}", f"{more:+.2f}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.stores", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    results: dict[str, list[Result]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="poller-benchmark-")))
        database = stack.enter_context(postgresql())
        account = stack.enter_context(dynamodb(folder))
        for number in range(arguments.rounds):
            for one in cases(folder, database.url, account):
                results.setdefault(one.name, []).append(measure(one, number, lambda _: None))
                faults = results[one.name][-1].faults
                if faults:
                    sys.stderr.write(f"{one.name}: {faults}\n")
                    return 1
    Console().print(shown(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
