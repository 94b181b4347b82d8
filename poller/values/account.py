"""The account of one mapping: every record it received, in exactly one bucket."""

from dataclasses import dataclass, field

from poller.values.histogram import BATCH_SIZE_BOUNDS, DURATION_BOUNDS, Histogram


@dataclass(slots=True, eq=False)
class Account:
    """Counts where every record of one mapping went, since process start.

    polled = filtered + delivered + destination + dropped + expired + before_start + returned + in flight, always: the
    code that ends a record counts it in the step in which it leaves the in-flight number, without an await between.
    """

    polled: int = 0
    """Records received from the source, counted at every receive."""
    filtered: int = 0
    """Rejected by the filter criteria."""
    delivered: int = 0
    """The function succeeded on them."""
    destination: int = 0
    """Accepted by the on-failure destination."""
    dropped: int = 0
    """Given up at a limit the user set, with no destination to send to."""
    expired: int = 0
    """Ended by the source's own retention."""
    before_start: int = 0
    """Older than the starting position."""
    returned: int = 0
    """Returned to the source, by a release or by its timeout."""

    invoked: int = 0
    """Records in invocations, retries included."""
    failed_invoke: int = 0
    """Records in invocations that failed, those named by a partial batch response included."""
    filtered_not_json: int = 0
    """Of those filtered, records rejected only because a pattern asks for fields of a payload that is not JSON."""
    not_unwrapped: int = 0
    """Of those returned, messages that hold no event of the service that `unwrap` names."""
    fenced: int = 0
    """Records in work when their shard was lost to another daemon, which delivers them again: an upper bound."""
    deleted: int = 0
    """Records whose delete the source confirmed."""
    delete_failed: int = 0
    """Failed delete attempts, per record."""
    invocations: dict[str, int] = field(default_factory=dict)
    """Number of invocations by outcome; count with `count_invocation`."""
    invocation_duration: Histogram = field(default_factory=lambda: Histogram(DURATION_BOUNDS))
    """Seconds."""
    batch_size: Histogram = field(default_factory=lambda: Histogram(BATCH_SIZE_BOUNDS))
    """Records per invocation."""

    def count_invocation(self, outcome: str, records: int, seconds: float) -> None:
        """Count one invocation that ended. `outcome` becomes a metric label: a word of a fixed set, never a message."""
        self.invocations[outcome] = self.invocations.get(outcome, 0) + 1
        self.invoked += records
        self.batch_size.observe(records)
        self.invocation_duration.observe(seconds)

    def unaccounted(self, in_flight: int) -> int:
        """Records that are in no bucket. Other than 0 is a bug: positive means lost, negative counted twice."""
        ended = (
            self.filtered
            + self.delivered
            + self.destination
            + self.dropped
            + self.expired
            + self.before_start
            + self.returned
        )
        return self.polled - ended - in_flight

    def counters(self) -> dict[str, int]:
        """The counters by the names that the metrics give them, without `poller_` and `_events_total`."""
        return {
            "polled": self.polled,
            "filtered": self.filtered,
            "delivered": self.delivered,
            "on_failure_destination_delivered": self.destination,
            "dropped": self.dropped,
            "expired": self.expired,
            "before_start": self.before_start,
            "returned": self.returned,
            "invoked": self.invoked,
            "failed_invoke": self.failed_invoke,
            "filtered_not_json": self.filtered_not_json,
            "not_unwrapped": self.not_unwrapped,
            "fenced": self.fenced,
            "deleted": self.deleted,
            "delete_failed": self.delete_failed,
        }
