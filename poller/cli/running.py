"""`poller run`: the daemon by itself, as one worker of several, or as their parent."""

import os
import sys
from pathlib import Path

from poller.cli.configured import reader
from poller.configuration import Configuration, Need
from poller.daemon import run as daemon


def run(
    config: list[Path] | None,
    need: Need,
    *,
    wait: float | None,
    workers: str | None,
    as_worker: str | None,
    dry_run: bool = False,
) -> int:
    """Run until it is stopped; returns the exit code. Raises ConfigurationError and EnvironmentProblem.

    `as_worker` is what a parent gives to its workers.
    """
    if dry_run:
        from poller.cli import dry_run as dry  # noqa: PLC0415  (memory of daemons that do something)

        own_reader = dry.DryReader(config or None, os.environ, need)
        store = dry.opened(own_reader.read(), reader(config, need).read())
        return daemon.run(own_reader, wait=wait, watch_events=dry.DryFunction, store=store)
    overrides = None if workers is None else {"workers": workers}
    if as_worker is None:
        return daemon.run(reader(config, need, overrides), wait=wait, instead=_parent_of_several)
    from poller.daemon import worker  # noqa: PLC0415  (memory of daemons by themselves)

    spec = worker.spec_of(as_worker)
    own = worker.WorkerReader(spec, config or None, os.environ, need, overrides)
    return daemon.run(own, wait=wait, worker=worker.Worker(spec))


def _parent_of_several(configuration: Configuration) -> None:
    """Become the parent of the configured workers."""
    if configuration.settings.workers > 1:
        from poller.daemon import parent  # noqa: PLC0415  (as above)

        parent.become(configuration, sys.argv[1:])
