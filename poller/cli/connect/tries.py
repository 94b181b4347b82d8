"""Collects the results of calls to one target, and turns each refusal into text for people."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from poller.aws.error_reasons import DENIED, cause_of, code_of
from poller.policy.advice import with_advice
from poller.values.errors import (
    CallError,
    ConfigurationError,
    IteratorExpired,
    NoCredentials,
    PositionTrimmed,
    ServiceError,
    ShardGone,
    StreamGone,
)

Result = TypeVar("Result")

_WORDS = {"source_missing": "missing", "access_denied": "refused"}
ANSWERED = (IteratorExpired, PositionTrimmed, ShardGone)
"""Errors that prove that the call was allowed: only what it named no longer exists."""
_KMS = "KMS"
FORBIDDEN = frozenset({"403", "Forbidden"})
"""S3's errors for HEAD, whose answers have no body to say more."""
ABSENT = frozenset({"404", "StateMachineDoesNotExist"})
ELSEWHERE = frozenset({"301", "PermanentRedirect"})
"""S3's answer for a bucket in another region."""


@dataclass(slots=True)
class Tries:
    """The results of calls to one target."""

    principal: str
    """The principal whose policy has to allow them."""
    answer: str = "ok"
    """The answer in one word: ok, refused, missing, unreachable, credentials, throttled, error."""
    told: list[str] = field(default_factory=list)
    """Problems, one line each."""
    missing: list[str] = field(default_factory=list)
    """IAM actions that were refused."""
    untried: list[str] = field(default_factory=list)
    """Checks that were not possible, and why."""
    done: list[str] = field(default_factory=list)
    """Actions that did more than read."""
    hopeless: bool = False
    """Whether further calls would only meet the same problem."""

    async def attempt(self, action: str, call: Callable[[], Awaitable[Result]]) -> Result | None:
        """Make a call, and return its answer, or None with the problem noted under `action`, IAM's name of the call.
        Makes no call that earlier ones have shown to be in vain.
        """
        if self.hopeless:
            return None
        try:
            return await call()
        except ANSWERED:
            return None
        except StreamGone as error:
            self.blocked("source_missing", with_advice(str(error), "call.source_missing"))
        except ConfigurationError as error:
            self.blocked("error", str(error))
        except CallError as error:
            self.refused(action, error)
        return None

    async def ask(self, action: str, call: Callable[[], Awaitable[object]]) -> None:
        """Find out whether the target exists, by an `action` that a mapping itself does not need."""
        try:
            await call()
        except CallError as error:
            code = error.code if isinstance(error, ServiceError) else ""
            if code in DENIED or code in FORBIDDEN:
                self.untried.append(f"whether it is there ({action} is not allowed, and need not be)")
            elif code in ABSENT:
                self.blocked("source_missing", with_advice(f"{action}: {error}", "call.source_missing"))
            elif code not in ELSEWHERE:
                self.refused(action, error)

    def refused(self, action: str, error: CallError) -> None:
        """Note a call that failed."""
        code = code_of(error)
        if isinstance(error, NoCredentials) and "AssumeRole" in str(error):
            self.lack("sts:AssumeRole", f"{error}")
            self.hopeless = True
        elif code != "access_denied" or error.reason is not None:
            # what names its reason itself is no refusal of IAM's
            self.blocked(code, with_advice(f"{action}: {error}", cause_of(error)))
        elif isinstance(error, ServiceError) and _KMS in error.code:
            self.lack("kms:Decrypt", f"{action}: {error}")
        else:
            self.lack(action, "")

    def lack(self, action: str, said: str) -> None:
        """Note a permission that is missing."""
        self.answer = "refused"
        if action not in self.missing:
            self.missing.append(action)
            if said:
                self.told.append(said)

    def blocked(self, code: str, said: str) -> None:
        """Note a problem of every call."""
        self.hopeless = True
        self.answer = _WORDS.get(code, code)
        self.told.append(said)

    @property
    def ok(self) -> bool:
        """Whether no problem was found."""
        return self.answer == "ok"

    def lines(self) -> list[str]:
        """The whole result for a person."""
        found = []
        if self.missing:
            who = self.principal if self.principal != "default" else "whoever runs this"
            found.append(f"missing permission: {', '.join(self.missing)}; allow it to {who} (see poller iam-policy)")
        found += self.told
        found += self.done
        found += [f"not tried: {what}" for what in self.untried]
        return found
