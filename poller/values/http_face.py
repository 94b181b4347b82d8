"""HttpFace: how a function is reached by plain HTTP requests, in the manner of one of AWS's services."""

from dataclasses import dataclass
from typing import Literal

Payload = Literal["function_url", "api_gateway_v2", "api_gateway_v1", "alb"]
"""The service whose event the function gets, and whose answers it gives."""
Auth = Literal["none", "aws_iam"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """Which pages of other origins may read the answers. Members are those of a function URL."""

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
    """Begins every path of the face, without a slash at the end; the function sees what follows."""
    payload: Payload
    auth: Auth
    multi_value_headers: bool = False
    """ALB only: lists of values in event and answer."""
    cors: Cors | None = None
