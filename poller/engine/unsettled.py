"""Says for a person why a mapping is not settled."""

from poller.ports.status import MappingStatus
from poller.values.texts import counted


def unsettled(status: MappingStatus, seconds: float) -> str:
    """The reason for a person why a mapping is not settled."""
    lag = status.lag()
    waiting = [] if lag.records is None else [f"in the queue wait {counted(lag.records, 'message')}"]
    waiting += [] if not lag.hidden else [f"received and neither deleted nor visible again: {lag.hidden}"]
    waiting += [] if not lag.seconds else [f"{lag.seconds:.1f} s behind"]
    reason = [] if status.reason is None else [status.reason.text or status.reason.code.value]
    failure = [] if status.last_failure is None else [f"the last failure: {status.last_failure.text}"]
    facts = "; ".join([f"{counted(status.in_flight(), 'record')} in flight", *waiting, *reason, *failure])
    return f"the mapping {status.name} is not settled after {seconds:g} s: it is {status.state.value}; {facts}"
