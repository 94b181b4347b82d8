"""Secret: a text that may be stored outside the configuration. It is read at each use, and never shown."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, InstanceOf, WithJsonSchema

from poller.configuration.reading.regular import read_text
from poller.values.errors import ConfigurationError

Kind = Literal["text", "env", "file"]


class Secret:
    """Text written out, or `{env: NAME}`, or `{file: PATH}`.

    Two secrets are equal if they name the same place, regardless of the value stored there. A rotated value is no
    change of the configuration: `read` returns the new one.
    """

    __slots__ = ("_environ", "_where", "kind")

    def __init__(self, kind: Kind, where: str, environ: Mapping[str, str] | None = None) -> None:
        self.kind = kind
        self._where = where
        self._environ = os.environ if environ is None else environ

    @classmethod
    def text(cls, value: str) -> Self:
        return cls("text", value)

    def read(self) -> str:
        """The current value. Raises ConfigurationError naming the missing variable or file. A file's last line end is
        not part of the value.
        """
        if self.kind == "text":
            return self._where
        if self.kind == "env":
            if self._where not in self._environ:
                raise ConfigurationError(
                    [f"the environment variable {self._where} is not set; set it, or name another"]
                )
            return self._environ[self._where]
        try:
            return read_text(Path(self._where)).removesuffix("\n").removesuffix("\r")
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ConfigurationError([f"the file {self._where} cannot be read ({reason})"]) from error
        except UnicodeDecodeError as error:
            raise ConfigurationError([f"the file {self._where} is not UTF-8 text"]) from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self.kind, self._where) == (other.kind, other._where)

    def __hash__(self) -> int:
        return hash((self.kind, self._where))

    def __repr__(self) -> str:
        return "Secret(***)" if self.kind == "text" else f"Secret({self.kind}: {self._where})"


def _secret(value: object) -> object:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        return Secret.text(value)
    # a text that begins with `must` would repeat the value, and a number may be the secret
    raise ValueError("is no secret: it must be text (a number in quotes), {env: NAME} or {file: PATH}")


SecretText = Annotated[InstanceOf[Secret], BeforeValidator(_secret), WithJsonSchema({"type": "string"})]
"""The type of a model's field that stays a Secret."""
