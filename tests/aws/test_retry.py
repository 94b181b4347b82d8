"""The retry rules are the SDK's standard mode."""

from types import SimpleNamespace

import pytest
from botocore.retries.quota import RetryQuota as SdkQuota
from botocore.retries.standard import (
    ExponentialBackoff,
    RetryQuotaChecker,
    ThrottledRetryableChecker,
    TransientRetryableChecker,
)

from poller.aws import retry
from poller.aws.retry import RetryQuota, backoff, is_retryable
from poller.values.errors import AnswerLost, NoCredentials, NotSent, ServiceError


def test_codes_and_statuses_are_the_sdks() -> None:
    assert set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES) == retry.THROTTLING_CODES
    assert set(TransientRetryableChecker._TRANSIENT_ERROR_CODES) == retry.TRANSIENT_CODES
    assert set(TransientRetryableChecker._TRANSIENT_STATUS_CODES) == retry.TRANSIENT_STATUS


def test_quota_and_its_price_are_the_sdks() -> None:
    assert SdkQuota.INITIAL_CAPACITY == retry.QUOTA
    assert (RetryQuotaChecker._RETRY_COST, RetryQuotaChecker._TIMEOUT_RETRY_REQUEST) == (
        retry.COST,
        retry.COST_WITHOUT_ANSWER,
    )


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("attempt", range(1, 9))
def test_delays_are_the_sdks(attempt: int, chance: float) -> None:
    sdk = ExponentialBackoff(random=lambda: chance)
    assert backoff(attempt, chance) == sdk.delay_amount(SimpleNamespace(attempt_number=attempt))


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (NotSent("x"), True),
        (AnswerLost("x"), True),
        (NoCredentials("x"), False),
        (ServiceError(500, "InternalFailure"), True),
        (ServiceError(501, "NotImplemented"), False),
        (ServiceError(400, "ThrottlingException"), True),
        (ServiceError(400, "RequestTimeout"), True),
        (ServiceError(400, "ValidationError"), False),
        (ServiceError(301, "301"), False),
    ],
)
def test_only_what_may_do_better_is_tried_again(error: AnswerLost, again: bool) -> None:
    assert is_retryable(error) is again


def test_an_outage_uses_the_quota_up_and_successes_bring_it_back() -> None:
    quota = RetryQuota()
    refused, silent = ServiceError(503, "503"), AnswerLost("x")
    assert sum(1 for _ in range(1000) if quota.take(refused)) == 100
    assert quota.take(refused) == 0
    quota.refund(0)
    assert quota.left == 1
    quota.refund(7)
    assert (quota.take(silent), quota.take(refused)) == (0, 5)
    for _ in range(2000):
        quota.refund(0)
    assert quota.left == retry.QUOTA
