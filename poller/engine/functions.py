"""The functions in use: each is built for its first user, a mapping or a caller, and closed after its last."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self, TypeAlias

from poller.aws.transports import Borrowed, Transports
from poller.configuration import AwsSettings, EventSourceMapping, FunctionConfig
from poller.functions.arns import arn_of, function_arn
from poller.functions.type import FunctionBuilder, Place
from poller.functions.types import FUNCTION_TYPES
from poller.policy.backoff import Chance
from poller.policy.response import Outcome
from poller.ports.function import Function, Restartable
from poller.ports.holdings import Fleet
from poller.runtime.breaker import Breaker
from poller.runtime.slots import SharedSlots, Slots
from poller.values.errors import UnknownFunction

Key: TypeAlias = tuple[FunctionConfig, str]
"""A function and the region from which it is called. A function that runs here has one key for all regions."""


@dataclass(frozen=True, slots=True)
class Use:
    """A function as one of its users calls it."""

    config: FunctionConfig
    region: str
    """The region from which it is called."""
    arn: str

    @classmethod
    def by(cls, mapping: EventSourceMapping) -> Self:
        """The use by a mapping."""
        return cls(mapping.function, mapping.region, arn_of(mapping))

    @classmethod
    def shadow_of(cls, mapping: EventSourceMapping) -> Self:
        """The use of a mapping's second function. It has to have one."""
        shadow = mapping.shadow_function
        assert shadow is not None
        return cls(shadow, mapping.region, function_arn(shadow, mapping.region, mapping.source.account))

    @property
    def key(self) -> Key:
        """Users with the same key share a function."""
        runs_here = FUNCTION_TYPES[self.config.type].runs_here
        return self.config, "" if runs_here else self.region


Once = Callable[[Use, bytes], Awaitable[Outcome]]
"""See `FunctionInvoker.once`."""


class Functions:
    """The functions that all users share."""

    def __init__(self, transports: Transports, chance: Chance) -> None:
        self._transports = transports
        self._chance = chance
        self._builders: dict[str, FunctionBuilder] = {}
        """By the type of function, from its first use."""
        self.built: dict[Key, tuple[Function, Borrowed]] = {}
        """Each with the transports it has borrowed."""
        self.users: Counter[Key] = Counter()
        """Mappings and callers that have taken a function and not yet released it."""
        self.limits: dict[tuple[str, AwsSettings], Slots] = {}
        """Slots by the function's name, which stays while its parameters change."""
        self.breakers: dict[Key, Breaker] = {}
        self.once: Once | None = None
        """Invokes a function beside the mappings; known before the first of them runs."""

    async def take(self, use: Use) -> Function:
        """Return the function, built if needed, and count one more user. Raises EnvironmentProblem and
        ConfigurationError.
        """
        key = use.key
        if key not in self.built:
            transports = self._transports.borrow()
            self.built[key] = function, _ = await self._build(use, transports), transports
            if isinstance(function, Restartable):
                function.on_restart = self.breaker(use).renewed
        self.users[key] += 1
        return self.built[key][0]

    async def _build(self, use: Use, transports: Borrowed) -> Function:
        row = FUNCTION_TYPES[use.config.type]
        if row.name not in self._builders:
            self._builders[row.name] = row.builder(self._chance)
        place = Place(use.region, use.arn, transports)
        return await self._builders[row.name].build(use.config, place)

    async def release(self, use: Use) -> None:
        """Count one user less, and close the function after the last."""
        key = use.key
        self.users[key] -= 1
        if not self.users[key]:
            del self.users[key]
            self.breakers.pop(key, None)
            function, transports = self.built.pop(key)
            limit = (use.config.key, use.config.aws)
            if not any((config.key, config.aws) == limit for config, _ in self.users):
                self.limits.pop(limit, None)
            await function.close()
            await transports.close()

    def slots(self, config: FunctionConfig) -> Slots:
        """The slots of a function, by its name and not by its parameters: while mappings change from one set of
        parameters to another, one limit holds, the newest.
        """
        slots = self.limits.setdefault((config.key, config.aws), Slots(config.concurrency))
        if slots.limit != config.concurrency:
            slots.resize(config.concurrency)
        slots.keep_to(config.max_requests_per_second)
        return slots

    def breaker(self, use: Use) -> Breaker:
        """The circuit breaker for all users of one function. A function with other parameters has another one."""
        return self.breakers.setdefault(use.key, Breaker(self._chance))

    def restart(self, name: str) -> None:
        """Restart the workers of a function that runs here. Raises UnknownFunction."""
        started = {function.name: function for function in self._functions() if isinstance(function, Restartable)}
        if name in started:
            started[name].restart("request")
            return
        if name in {function.name for function in self._functions()}:
            raise UnknownFunction(f"the function {name} has no workers that poller starts; restart it where it runs")
        known = ", ".join(sorted(started)) or "none"
        raise UnknownFunction(f"there is no function {name} whose workers poller starts; there are: {known}")

    def _functions(self) -> list[Function]:
        return [function for function, _ in self.built.values()]

    def refresh(self) -> None:
        """Take over changed secrets and code."""
        for function in self._functions():
            function.refresh()

    async def close(self) -> None:
        """Close all functions. The transports belong to their maker."""
        await asyncio.gather(*(function.close() for function in self._functions()))
        for builder in self._builders.values():
            builder.close()


def shared_slots(
    fleet: Fleet, mapping: EventSourceMapping, function: Slots, until: AsyncExitStack
) -> SharedSlots | None:
    """The slots of a mapping whose limit holds for all daemons of a fleet; None where there is no such limit."""
    limit = None if mapping.scaling_config is None else mapping.scaling_config.maximum_concurrency
    if limit is None or not fleet.shared:
        return None
    slots = SharedSlots(function)
    until.callback(fleet.share(mapping.uuid, limit, slots))
    return slots
