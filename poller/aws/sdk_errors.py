"""The SDK's exceptions as the values that every call to AWS gives here."""

from botocore import exceptions as sdk

from poller.errors import AnswerLost, CallError, NoCredentials, NotSent, ServiceError

_NO_CREDENTIALS = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.TokenRetrievalError,
    sdk.SSOError,
    sdk.ProfileNotFound,
)
_NOT_SENT = (
    sdk.EndpointConnectionError,
    sdk.ConnectTimeoutError,
    sdk.ProxyConnectionError,
    sdk.SSLError,
    sdk.NoRegionError,
    sdk.EndpointProviderError,
    sdk.UnknownEndpointError,
)


def as_call_error(error: Exception) -> CallError:
    """Of a BotoCoreError or ClientError."""
    if isinstance(error, sdk.ClientError):
        told = error.response.get("Error", {})
        metadata = error.response.get("ResponseMetadata", {})
        retry_after = metadata.get("HTTPHeaders", {}).get("retry-after", "")
        return ServiceError(
            metadata.get("HTTPStatusCode", 0),
            str(told.get("Code", "Unknown")),
            str(told.get("Message", "")),
            retry_after=float(retry_after) if retry_after.isdecimal() else None,
        )
    if isinstance(error, _NO_CREDENTIALS):
        return NoCredentials(str(error))
    if isinstance(error, _NOT_SENT):
        return NotSent(str(error))
    return AnswerLost(str(error))
