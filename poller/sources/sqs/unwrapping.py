"""Hands the function the event inside of each message (`unwrap`), as a direct trigger of that service would.

Every such service invokes a function for one event, so a mapping that unwraps has batches of one message. A message
that holds no such event is not delivered: it is released as failed, and the queue's redrive policy decides how often it
comes again. A service's own test message, for which Lambda delivers nothing, is deleted and counted as filtered.
"""

import asyncio
from collections.abc import Callable, Sequence

from poller.ports.status import LastFailure, MappingStatus
from poller.sources.sqs.envelopes import Open
from poller.sources.sqs.envelopes.envelope import NoEnvelope
from poller.sources.sqs.message import body_of, set_body
from poller.sources.sqs.settling import Settling
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.record import Record

SHOWN = 60
"""Characters of a body in the log, enough to recognise it."""


class Unwrapping:
    """Opens every received message of a mapping."""

    def __init__(
        self,
        opened: Open,
        settling: Settling,
        delete: Callable[[Sequence[Record]], None],
        status: MappingStatus,
        log: RateLimitedLog,
    ) -> None:
        """`delete` ends messages that the function does not get, and counts them as filtered."""
        self._open = opened
        self._settling = settling
        self._status = status
        self._delete = delete
        self._log = log

    def events(self, records: Sequence[Record]) -> Sequence[Record]:
        """The records to deliver, in their order; the body of each is now its event."""
        ready, tests, refused = [], [], []
        blocked: set[str] = set()
        for record in records:
            if record.key is not None and record.key in blocked:
                # FIFO: it must not overtake the message of its group that was refused
                refused.append(record)
                continue
            try:
                event = self._open(body_of(record.item))
            except NoEnvelope as error:
                refused.append(record)
                if record.key is not None:
                    blocked.add(record.key)
                self._note(record, error)
                continue
            if event is None:
                tests.append(record)
            else:
                set_body(record.item, event)
                ready.append(record)
        if tests:
            self._delete(tests)
        if refused:
            self._status.account.returned += len(refused)
            self._settling.release(refused, failed=True)
        return ready

    def _note(self, record: Record, error: NoEnvelope) -> None:
        now = asyncio.get_running_loop().time()
        text = f"{error}; the message is released as failed, for the queue's redrive policy"
        self._status.account.not_unwrapped += 1
        self._status.last_failure = LastFailure(now, f"{record.identifier}: {text}")
        self._log.repeating(
            "message_not_unwrapped",
            now,
            code=error.code,
            text=text,
            message_ids=[record.identifier],
            begins=body_of(record.item)[:SHOWN],
        )


def event_in(records: Sequence[Record]) -> bytes:
    """The event of a batch, which is the body of its one message."""
    return b"".join(body_of(record.item).encode("utf-8", "backslashreplace") for record in records)
