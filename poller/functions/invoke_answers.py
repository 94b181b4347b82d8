"""Judges the answers of services that invoke Lambda functions: of the Invoke API, and in front of function URLs."""

from poller.aws.error_reasons import CREDENTIALS, DENIED, THROTTLES
from poller.policy.response import Failed, NotInvoked, Outcome, TooLarge
from poller.values.errors import CallError, NoCredentials, NotSent, ServiceError

READ_MARGIN = 10.0
"""Seconds by which our own limit lies above the function's timeout, so that Lambda's answer about a timeout arrives."""
BEFORE_THE_FUNCTION = frozenset(
    {
        # the Invoke API's answers when the function did not run
        "EC2AccessDeniedException",
        "EC2ThrottledException",
        "EC2UnexpectedException",
        "EFSIOException",
        "EFSMountConnectivityException",
        "EFSMountFailureException",
        "EFSMountTimeoutException",
        "ENILimitReachedException",
        "InvalidParameterValueException",
        "InvalidRuntimeException",
        "InvalidSecurityGroupIDException",
        "InvalidSubnetIDException",
        "InvalidZipFileException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
        "NoPublishedVersionException",
        "RecursiveInvocationException",
        "ResourceConflictException",
        "ResourceNotReadyException",
        "S3FilesMountConnectivityException",
        "S3FilesMountFailureException",
        "S3FilesMountTimeoutException",
        "ServiceException",
        "SnapStartException",
        "SnapStartNotReadyException",
        "SnapStartTimeoutException",
        "SubnetIPAddressLimitReachedException",
    }
)


def outcome_of(error: CallError) -> Outcome:
    """The outcome of an Invoke call that had no 2xx answer."""
    if isinstance(error, NotSent):
        return NotInvoked("credentials" if isinstance(error, NoCredentials) else "unreachable", str(error))
    if not isinstance(error, ServiceError):
        return Failed("answer_lost", str(error))
    if error.status == 413:
        return TooLarge(str(error))
    code = _refusal(error)
    if code is not None:
        return NotInvoked(code, str(error), error.retry_after)
    return Failed(f"http_{error.status}", str(error), status=error.status)


def _refusal(error: ServiceError) -> str | None:
    """Why the function did not run. None where it may have run, or where another try would not help."""
    if error.status == 429 or error.code in THROTTLES:
        return "throttled"
    if error.code == "ResourceNotFoundException":
        return "function_missing"
    if error.code in CREDENTIALS:
        return "credentials"
    if error.code in DENIED:
        return "access_denied"
    return "unavailable" if error.status == 503 or error.code in BEFORE_THE_FUNCTION else None
