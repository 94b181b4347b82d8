"""The boundary around the SDK: turns everything that its calls raise into a `CallError`.

A call runs credential providers, processes they start, parsers of whatever an endpoint or a proxy answered, and the
network. The SDK documents two base classes, and lets KeyError, RuntimeError, TypeError and its parsers' own errors
through as well. The one table that says what each of its exceptions means is here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore import exceptions as sdk

from poller.aws.answers import retry_after
from poller.http.bounded import BEFORE_THE_REQUEST
from poller.values.errors import AnswerLost, CallError, NoCredentials, NotSent, PollerError, ServiceError
from poller.values.texts import shortened

DETAIL = 300
"""Characters kept of an error's text: parsers repeat the whole answer, for instance a proxy's page."""

_NO_CREDENTIALS = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.TokenRetrievalError,
    sdk.SSOError,
    sdk.ProfileNotFound,
)
_NOT_SENT = (
    sdk.InvalidProxiesConfigError,
    sdk.EndpointProviderError,
    sdk.UnknownEndpointError,
    sdk.ValidationError,
    sdk.ParamValidationError,
    sdk.NoRegionError,
    sdk.InvalidRegionError,
)
"""Errors that the SDK raises before it opens a connection."""


def as_call_error(error: Exception) -> CallError:
    """The CallError for an error of an SDK call: NotSent only if certainly no byte was written."""
    if isinstance(error, CallError):
        return error
    if isinstance(error, sdk.ClientError):
        return _refusal(error)
    if isinstance(error, _NO_CREDENTIALS):
        return NoCredentials(f"no AWS credentials: {_text(error)}")
    # the wrapped error: the SDK's own class claims a failed connect also for resets in the middle of an exchange
    inner = error.kwargs.get("error") if isinstance(error, sdk.BotoCoreError) else None
    if isinstance(inner, CallError):
        return inner
    text = shortened(str(inner or ""), DETAIL) or _text(error)
    return NotSent(text) if isinstance(inner, BEFORE_THE_REQUEST) or isinstance(error, _NOT_SENT) else AnswerLost(text)


def as_no_credentials(error: Exception) -> NoCredentials:
    """The CallError for an error of a credential provider."""
    return NoCredentials(f"no AWS credentials: {_text(error)}")


def as_not_sent(error: Exception) -> CallError:
    """The CallError for an error before there was a client: certainly nothing was written."""
    found = as_call_error(error)
    return found if isinstance(found, NotSent) else NotSent(str(found))


@contextmanager
def sdk_errors(convert: Callable[[Exception], CallError] = as_call_error) -> Iterator[None]:
    """Wrap only calls of the SDK in it, because it would hide a bug of ours as an error of the SDK."""
    try:
        yield
    except PollerError:
        raise
    except Exception as error:
        raise convert(error) from error


def _refusal(error: sdk.ClientError) -> ServiceError:
    told = error.response.get("Error", {})
    metadata = error.response.get("ResponseMetadata", {})
    return ServiceError(
        metadata.get("HTTPStatusCode", 0),
        str(told.get("Code", "Unknown")),
        str(told.get("Message", "")),
        retry_after=retry_after(metadata.get("HTTPHeaders", {})),
        body=error.response.get("RawBody", b""),
    )


def _text(error: Exception) -> str:
    """The error's text. Only the SDK's exceptions are sentences; others need their type, as a KeyError shows."""
    if isinstance(error, sdk.BotoCoreError | sdk.ClientError | OSError):
        return shortened(str(error), DETAIL)
    return shortened(f"{type(error).__name__}: {error}", DETAIL)
