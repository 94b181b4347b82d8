"""Refusals in AWS's form: code, text and status, with the members of the body spelled as Lambda spells them."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

_STATUS: Mapping[str, int] = MappingProxyType(
    {
        "AccessDeniedException": 403,
        "IncompleteSignatureException": 403,
        "InvalidSignatureException": 403,
        "MissingAuthenticationTokenException": 403,
        "NotImplementedException": 501,
        "RequestTimeoutException": 408,
        "RequestTooLargeException": 413,
        "ResourceConflictException": 409,
        "ResourceNotFoundException": 404,
        "ServiceException": 500,
        "TooManyRequestsException": 429,
        "UnrecognizedClientException": 403,
        "UnsupportedMediaTypeException": 415,
    }
)
"""Of codes whose status is not 400."""
_BY_SERVICE = frozenset({"NotImplementedException", "ServiceException"})
"""Codes whose body says `Type: Service`."""
_UNTYPED = frozenset(
    {
        "AccessDeniedException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
        "ValidationException",
    }
)
"""Codes whose body has no `Type`."""
_CAPITAL = frozenset({"ResourceInUseException", "ResourceNotFoundException", "ServiceException"})
"""Codes whose body says `Message`; the others say `message`."""


class LambdaError(Exception):
    """The answer to a call that is refused; nothing has changed."""

    def __init__(self, code: str, text: str, status: int | None = None, **more: Any) -> None:
        """`more` are further members of the body, such as `Reason`."""
        super().__init__(text)
        self.code = code
        self.status = status or _STATUS.get(code, HTTPStatus.BAD_REQUEST.value)
        self._more = more

    @property
    def body(self) -> dict[str, Any]:
        typed = {} if self.code in _UNTYPED else {"Type": "Service" if self.code in _BY_SERVICE else "User"}
        return {**typed, "Message" if self.code in _CAPITAL else "message": str(self), **self._more}
