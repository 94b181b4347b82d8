"""The key `http_face` of a function: a face for plain HTTP requests on the daemon's listener."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from poller.configuration.model.fields import FilledText, Whole, Written, same_fields, text
from poller.values.http_face import Auth, Cors, HttpFace, Payload

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_TAKEN = re.compile(
    r"/(healthz|readyz|metrics|status|mappings|functions|failures|actions|redrives|reload|login|logout|page"
    r"|\d{4}-\d{2}-\d{2})(/.*)?"
)
"""Paths of the daemon's own API, now and with what Lambda's API brings."""


def _path(value: str) -> str:
    """Raises ValueError."""
    if not _PATH.fullmatch(value):
        raise ValueError("must be a path such as /shop: letters, digits and any of . _ ~ - between slashes")
    if _TAKEN.fullmatch(value):
        raise ValueError("is a path of the daemon's own API; choose another one")
    return value


class WrittenCors(Written):
    allow_origins: list[FilledText] = Field(
        default_factory=list, description="origins whose pages may read answers, or `*`"
    )
    allow_methods: list[FilledText] = Field(default_factory=list, description="methods that such pages may use, or `*`")
    allow_headers: list[FilledText] = Field(
        default_factory=list, description="headers that such pages may send, or `*`"
    )
    expose_headers: list[FilledText] = Field(default_factory=list, description="headers that such pages may read")
    allow_credentials: bool = Field(default=False, description="whether cookies may come along")
    max_age: Whole = Field(default=0, ge=0, le=86_400, description="seconds that a browser remembers all this")


class WrittenFace(Written):
    path: Annotated[str, AfterValidator(_path), text(f"^{_PATH.pattern}$")] = Field(
        examples=["/shop"], description="begins the paths of the face; the function sees what follows it"
    )
    payload: Payload = Field(description="the service whose events the function gets, and whose answers it gives")
    auth: Auth = Field(description="`aws_iam` for signed requests, `none` for anybody who reaches the listener")
    multi_value_headers: bool = Field(default=False, description="of `alb`: lists of values in event and answer")
    cors: WrittenCors | None = Field(
        default=None, description="which pages of other origins may read answers; poller answers preflight requests"
    )

    @model_validator(mode="after")
    def _only_of_alb(self) -> "WrittenFace":
        if self.multi_value_headers and self.payload != "alb":
            raise ValueError("multi_value_headers is for payload alb; remove it")
        return self


def read_face(written: WrittenFace | None) -> HttpFace | None:
    if written is None:
        return None
    cors = None if written.cors is None else Cors(**same_fields(written.cors, Cors))
    return HttpFace(**{**same_fields(written, HttpFace), "cors": cors})
