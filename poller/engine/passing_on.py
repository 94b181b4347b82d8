"""Carries out orders about batches in a fleet: here, and on the members where the batches wait that are meant."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from poller.engine.batches import NoBatch
from poller.engine.fleet.requests import Json, Requests
from poller.engine.runner import MappingRunner
from poller.policy.actions import Asked, Retry
from poller.policy.passed_on import (
    Did,
    Order,
    Outcome,
    Passed,
    Refused,
    all_of,
    names_one,
    nobody,
    read_order,
    read_outcome,
    several,
)
from poller.ports.steering import Acted
from poller.values.errors import NotPossible, PollerError, UnknownMapping

ANSWER_SECONDS = 20.0
"""For which other members are waited for: each reads what is asked within 3.5 s, and one that is dead is declared so
within its lease.
"""
HERE = ""
"""Stands for this member among the ids."""

Act = Callable[..., Awaitable[Acted]]


class PassingOn:
    """Finds the member that an order is for."""

    def __init__(self, requests: Requests, act: Act) -> None:
        """`act` carries out an order on this member alone, as `poller.ports.steering.Mappings.act` does."""
        self._requests = requests
        self._act = act

    async def act(self, runner: MappingRunner, order: Passed, asked: Asked, *, dry_run: bool) -> Acted:
        """See `poller.ports.steering.Mappings.act`."""
        one = names_one(order)
        sent = Order(runner.mapping.uuid, order, asked, dry_run or not isinstance(order, Retry))
        here = await self._here(sent)
        found: dict[str, Outcome] = {HERE: here}
        silent: Sequence[str] = ()
        if not (one and isinstance(here, Did)):
            # else no other member can have it
            there, silent = await self._there(sent, enough=one)
            found.update(there)
        if isinstance(order, Retry):
            return _acted(runner, all_of(order, [*found.values()], silent))
        having = {member: outcome for member, outcome in found.items() if isinstance(outcome, Did)}
        if not having:
            return _acted(runner, nobody(order, [*found.values()], silent))
        if len(having) > 1:
            return _acted(runner, several([*having.values()]))
        ((member, preview),) = having.items()
        if dry_run:
            return _acted(runner, preview)
        return _acted(runner, await self._by(member, Order(runner.mapping.uuid, order, asked, dry_run=False)))

    async def _by(self, member: str, order: Order) -> Outcome:
        """The order is carried out by the one that has the batch."""
        if member == HERE:
            return await self._here(order)
        name = self._requests.names([member])[0]
        told, silent = await self._there(order, of=[member])
        if silent:
            text = f"{name}, which has the batch, did not answer within {ANSWER_SECONDS:.0f} s; it may be done"
            return Refused(f"{text} still: the action log tells")
        return told.get(member, Refused(f"{name} had the batch, and has ended meanwhile; look again"))

    async def _here(self, order: Order) -> Outcome:
        try:
            acted = await self._act(order.uuid, order.order, order.asked, dry_run=order.dry_run)
        except NoBatch as none:
            return Refused(str(none), none.held)
        except UnknownMapping as unknown_here:
            # so none of its batches waits here
            return Refused(str(unknown_here), ())
        except PollerError as error:
            return Refused(str(error))
        return Did(acted.impact, acted.batch, acted.action)

    async def _there(
        self, order: Order, *, of: Collection[str] | None = None, enough: bool = False
    ) -> tuple[dict[str, Outcome], Sequence[str]]:
        """What the other members answer by their ids, and the names of those that do not. With `enough` the first that
        has the batch will do.
        """
        of = self._requests.others() if of is None else of
        if not of:
            return {}, []

        def is_enough(answer: Any) -> bool:
            return enough and isinstance(_read(answer), Did)

        async with self._requests.ask({"order": order.json()}, of) as request:
            silent = await request.answered(ANSWER_SECONDS, is_enough)
            told = {member: _read(answer) for member, answer in request.answers.items()}
        return told, self._requests.names(silent)

    async def ordered(self, given: Any) -> Json:
        """What becomes of an order that another member passes on to this one."""
        try:
            order = read_order(given)
        except ValueError as error:
            return Refused(f"{error}; is it of another version?").json()
        return (await self._here(order)).json()


def _read(answer: Any) -> Outcome:
    try:
        return read_outcome(answer)
    except ValueError as error:
        return Refused(str(error))


def _acted(runner: MappingRunner, outcome: Outcome) -> Acted:
    """Raises NotPossible."""
    if isinstance(outcome, Refused):
        raise NotPossible(outcome.why)
    return Acted(runner.status, outcome.impact, outcome.batch, outcome.action)
