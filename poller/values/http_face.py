"""HttpFace: the plain HTTP requests that reach a function, and the AWS service whose manner they follow."""

from dataclasses import dataclass
from typing import Literal

Payload = Literal["function_url", "api_gateway_v2", "api_gateway_v1", "alb"]
"""The service whose event the function gets, and whose answers the face gives."""
Auth = Literal["none", "aws_iam"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """The pages of other origins that may read the answers. Members are those of a function URL."""

    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age: int = 0
    """Seconds that a browser keeps the answer to a preflight request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpFace:
    path: str
    """The beginning of every path of the face, without a slash at the end. The function gets the rest of the path."""
    payload: Payload
    auth: Auth
    multi_value_headers: bool = False
    """ALB only: lists of values in event and answer."""
    cors: Cors | None = None
