"""Turns a failed AWS call into a typed reason, and a sentence that says what to do."""

from poller.aws.retry import THROTTLING_CODES
from poller.policy.advice import ADVICE, with_advice
from poller.values.errors import AnswerLost, CallError, NoCredentials, NotSent, ServiceError

THROTTLES = THROTTLING_CODES | {"OverLimit"}
"""The codes of the standard retry mode, and SQS's own for too many messages in flight."""
CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AllAccessDisabled",
        "AuthorizationError",
        "KMS.AccessDeniedException",
        "KMSAccessDenied",
        "KMSAccessDeniedException",
    }
)
MISSING = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "QueueDeletedRecently",
        "AWS.SimpleQueueService.QueueDeletedRecently",
        "ResourceNotFoundException",
    }
)


def code_of(error: CallError) -> str:
    """The typed reason: credentials, access_denied, source_missing, throttled, unreachable, or error; or another that
    the error names itself.
    """
    if error.reason is not None:
        return error.reason
    if isinstance(error, NoCredentials):
        return "credentials"
    if isinstance(error, (NotSent, AnswerLost)):
        return "unreachable"
    if isinstance(error, ServiceError):
        for code, names in _NAMED:
            if error.code in names:
                return code
        if error.status == 429:
            return "throttled"
        return "unreachable" if error.status >= 500 else "error"
    return "error"


_NAMED = (
    ("throttled", THROTTLES),
    ("credentials", CREDENTIALS),
    ("access_denied", DENIED),
    ("source_missing", MISSING),
)


def cause_of(error: CallError) -> str:
    """The key of the advice, finer than the reason: a failing service needs other advice than an unreachable one."""
    if error.reason is not None:
        causes = (f"source.{error.reason}", f"call.{error.reason}")
        return next((cause for cause in causes if cause in ADVICE), error.reason)
    if isinstance(error, AnswerLost):
        return "call.lost"
    if isinstance(error, ServiceError) and code_of(error) == "unreachable":
        return "call.failed"
    return f"call.{code_of(error)}"


def said_of(error: CallError, action: str, resource: str) -> str:
    """One sentence for a reason, whose cause is `cause_of`: `sqs:ReceiveMessage on arn:…: AccessDenied (403): …`."""
    return f"{action} on {resource}: {error}"


def text_of(error: CallError, action: str, resource: str) -> str:
    """The same for the log, with what to do."""
    return with_advice(said_of(error, action, resource), cause_of(error))
