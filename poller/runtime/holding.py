"""Lets a person decide about a batch while its lane waits. Costs nothing while no lane waits."""

from collections.abc import Iterator
from contextlib import contextmanager

from poller.ports.held import Held
from poller.ports.source import Delivery, Lane
from poller.ports.status import LaneStatus
from poller.runtime.context import LaneContext
from poller.runtime.stop import Stop


@contextmanager
def holding(lane: Lane, delivery: Delivery, context: LaneContext, status: LaneStatus) -> Iterator[tuple[Held, Stop]]:
    """Show the batch as held during a wait. The wait has to end with the yielded stop, which a decision requests as
    well as a soft stop does.
    """
    wait = context.stop.child()

    def wake() -> None:
        wait.request()
        context.admission.breaker.probe_now()

    status.held = Held(delivery.at_hand(), delivery.tried, delivery.discards, wake, lane.key, delivery.isolate)
    try:
        yield status.held, wait
    finally:
        status.held = None
        wait.close()
