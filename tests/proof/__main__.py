"""`python -m tests.proof`: what a fleet loses, repeats and reorders, and how long its shards stand still.

Three daemons with their real runtime on six shards, in virtual time: a minute of a machine shows half an hour. Each
daemon's outcome is counted record by record. With `--write` the table goes into the document of fleets. Ends with 1
where a promise was broken.
"""

import argparse
import asyncio
import sys
from dataclasses import replace

from tests.proof.document import write
from tests.proof.real import SCENARIOS as REAL
from tests.proof.real import measured as measured_really
from tests.proof.real import stores
from tests.proof.report import table
from tests.proof.scenarios import (
    AT_KILL,
    FROZEN,
    IDLE_DAEMONS,
    IDLE_SHARDS,
    KILLED,
    KILLS,
    SCENARIOS,
    LongLoop,
    Outcome,
    idle_writes,
    measured,
)
from tests.virtual_time import run

MAY_REPEAT = {KILLED: KILLS * AT_KILL, FROZEN: AT_KILL}
"""Records that may be delivered again, by scenario."""
MOST_IDLE_WRITES = 50
MOST_SECONDS = 25.0


def broken(name: str, one: Outcome) -> list[str]:
    """The promises that an outcome breaks."""
    most = MAY_REPEAT.get(name, 0)
    found = [f"{one.lost} records are lost"] if one.lost else []
    found += [f"{one.unaccounted} records are in no account"] if one.unaccounted else []
    found += [f"{one.out_of_order} keys are out of order"] if one.out_of_order else []
    found += [f"{one.duplicates} records were repeated, {most} may be"] if one.duplicates > most else []
    late = one.taken_over is not None and one.taken_over > MOST_SECONDS
    return [*found, *([f"the shards were taken over after {one.taken_over:.1f} s"] if late else [])]


def real(kind: str) -> int:
    """Real processes: minutes of real time."""
    outcomes = {}
    with stores(kind) as empty:
        for name, happens in REAL[kind].items():
            outcomes[name] = asyncio.run(measured_really(happens, empty()))
            sys.stderr.write(f"{name}: {outcomes[name]}\n")
    sys.stdout.write(table(outcomes))
    # what may be repeated depends on the machine
    wrong = [f"{name}: {text}" for name, one in outcomes.items() for text in broken(name, replace(one, duplicates=0))]
    sys.stdout.write("".join(f"BROKEN: {line}\n" for line in wrong))
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the table into docs/explanation/fleet.md")
    parser.add_argument("--real", choices=("postgresql", "dynamodb"), help="real processes on such a store instead")
    arguments = parser.parse_args()
    if arguments.real is not None:
        return real(arguments.real)
    outcomes = {name: run(measured(name), loop_factory=LongLoop) for name in SCENARIOS}
    idle = run(idle_writes(), loop_factory=LongLoop)
    sys.stdout.write(table(outcomes))
    taken_over = outcomes[KILLED].taken_over
    sys.stdout.write(f"\nafter kill -9 all shards are held again within {taken_over:.1f} s\n")
    sys.stdout.write(f"idle, {IDLE_SHARDS:,} shards and {IDLE_DAEMONS} daemons: {idle:.1f} store writes a minute\n")
    if arguments.write:
        write(outcomes, idle)
    wrong = [f"{name}: {text}" for name, one in outcomes.items() for text in broken(name, one)]
    wrong += [f"idle: {idle:.1f} writes a minute"] if idle > MOST_IDLE_WRITES else []
    sys.stdout.write("".join(f"BROKEN: {line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
