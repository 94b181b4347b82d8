"""Decides whether and when a call is sent again: the SDK's standard retry mode. Pure; randomness is an argument.

Three attempts; connection errors, 500, 502, 503, 504 and a few codes are transient, others are throttles; delays with
full jitter, doubling from one second up to 20; and a quota per service, so that an outage is not answered with three
times the load. Whether an operation may be sent again at all is not decided here.
"""

from poller.values.errors import AnswerLost, CallError, NoCredentials, NotSent, ServiceError

MAX_ATTEMPTS = 3
MAX_BACKOFF_SECONDS = 20.0

TRANSIENT_CODES = frozenset({"PriorRequestNotComplete", "RequestTimeout", "RequestTimeoutException"})
TRANSIENT_STATUS = frozenset({500, 502, 503, 504})
THROTTLING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)

QUOTA = 500
COST = 5
COST_WITHOUT_ANSWER = 10
"""Tokens for an attempt without an answer; the SDK charges them only for timeouts."""


def is_retryable(error: CallError) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, ServiceError):
        return error.status in TRANSIENT_STATUS or error.code in TRANSIENT_CODES or error.code in THROTTLING_CODES
    # the credential providers have their own retries
    return isinstance(error, (NotSent, AnswerLost)) and not isinstance(error, NoCredentials)


def backoff(attempt: int, chance: float) -> float:
    """Seconds to wait after the failed `attempt` (1 is the first); `chance` is evenly drawn from [0, 1)."""
    return chance * min(2.0 ** (attempt - 1), MAX_BACKOFF_SECONDS)


class RetryQuota:
    """The retry quota: retries cost tokens, successes refund them."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = QUOTA

    def take(self, error: CallError) -> int:
        """Take the tokens for a retry. Returns their number, 0 if too few are left."""
        cost = COST if isinstance(error, ServiceError) else COST_WITHOUT_ANSWER
        if cost > self.left:
            return 0
        self.left -= cost
        return cost

    def refund(self, taken: int) -> None:
        """Refund after a success: the tokens of its last retry, or one for a success at the first attempt."""
        self.left = min(QUOTA, self.left + (taken or 1))
