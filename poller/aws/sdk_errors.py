"""The boundary around the SDK: whatever one of its calls raises comes out as a `CallError`.

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

DETAIL = 300
"""Characters of an error's text that are kept: parsers repeat the whole answer, a proxy's page for instance."""

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
"""What the SDK raises before it opens a connection."""


def as_call_error(error: Exception) -> CallError:
    """The value for what a call of the SDK raised: NotSent only where it is certain that nothing was written."""
    if isinstance(error, CallError):
        return error
    if isinstance(error, sdk.ClientError):
        return _refusal(error)
    if isinstance(error, _NO_CREDENTIALS):
        return NoCredentials(f"no AWS credentials: {_text(error)}")
    # what the SDK wraps: its own class says that it could not connect for resets in the middle of an exchange, too
    inner = error.kwargs.get("error") if isinstance(error, sdk.BotoCoreError) else None
    if isinstance(inner, CallError):
        return inner
    text = str(inner or "")[:DETAIL] or _text(error)
    return NotSent(text) if isinstance(inner, BEFORE_THE_REQUEST) or isinstance(error, _NOT_SENT) else AnswerLost(text)


def as_no_credentials(error: Exception) -> NoCredentials:
    """The value for what a credential provider raised."""
    return NoCredentials(f"no AWS credentials: {_text(error)}")


def as_not_sent(error: Exception) -> CallError:
    """The value for what was raised before there was a client to send with: nothing was written, whatever it was."""
    found = as_call_error(error)
    return found if isinstance(found, NotSent) else NotSent(str(found))


@contextmanager
def sdk_errors(convert: Callable[[Exception], CallError] = as_call_error) -> Iterator[None]:
    """Around calls of the SDK and nothing else, since a bug of ours would be taken for one of theirs."""
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
    """Exceptions of the SDK are sentences; of others the text alone may be as little as the name of a missing key."""
    if isinstance(error, sdk.BotoCoreError | sdk.ClientError | OSError):
        return str(error)[:DETAIL]
    return f"{type(error).__name__}: {error}"[:DETAIL]
