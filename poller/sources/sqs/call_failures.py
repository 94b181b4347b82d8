"""Failing calls to one queue, shown as the mapping's state and reason for as long as one kind of call fails."""

import asyncio

from poller.aws.error_reasons import cause_of, code_of, said_of
from poller.policy.advice import with_advice
from poller.ports.source import Admission
from poller.ports.status import MappingState, MappingStatus, Reason, ReasonCode
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.errors import CallError


class CallFailures:
    """Those of one run of a queue's partition."""

    def __init__(self, status: MappingStatus, log: RateLimitedLog, resource: str, admission: Admission) -> None:
        """`resource` is the queue's ARN."""
        self._status = status
        self._log = log
        self._resource = resource
        self._admission = admission
        self._reasons: dict[str, Reason] = {}
        """By action."""

    def report(self, error: CallError | None, action: str, delay: float, *, resource: str | None = None) -> None:
        """A call failed and is tried again in `delay` seconds, or went through (None)."""
        status, reasons = self._status, self._reasons
        if error is None:
            if reasons.pop(action, None) is None:
                return
        else:
            now = asyncio.get_running_loop().time()
            since = reasons[action].since if action in reasons else now
            said, causes = said_of(error, action, resource or self._resource), (cause_of(error),)
            code, text = ReasonCode(code_of(error)), with_advice(said, *causes)
            reasons[action] = Reason(code, said, since=since, next_try=now + delay, causes=causes)
            self._log.repeating("call_failed", now, action=action, text=text, next_in=round(delay, 1))
        if self._admission.stopping:
            return
        status.reason = next(iter(reasons.values()), None)
        status.state = MappingState.PROBLEM if reasons else MappingState.RUNNING
