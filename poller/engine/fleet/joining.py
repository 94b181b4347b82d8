"""Opens the state: for a daemon alone, or for a member of a fleet."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from poller.configuration import Settings
from poller.engine.fleet.alone import Alone
from poller.engine.fleet.member import Host, Member
from poller.policy.backoff import Chance
from poller.ports.fleet import FleetStore
from poller.ports.store import StateStore
from poller.state.kinds import checkpoint_interval, kind_of


@dataclass(frozen=True, slots=True)
class Given:
    """Stores that are open already, None for those that the settings name; and what tells times and draws chances."""

    store: StateStore | None
    fleet: FleetStore | None
    clock: Callable[[], float]
    wall: Callable[[], float]
    chance: Chance


async def joined(
    settings: Settings,
    stack: AsyncExitStack,
    given: Given,
    *,
    host: Host,
    process: str | None,
) -> Alone | Member:
    """What is opened is closed at the end of `stack`. The others are those of `Member`. Raises EnvironmentProblem."""
    kind, interval = kind_of(settings.state), checkpoint_interval(settings)
    if settings.fleet is None:
        if given.store is not None:
            return Alone(given.store)
        return Alone(await stack.enter_async_context(kind.open(settings)), interval)
    shared = given.fleet
    if shared is None:
        assert kind.join is not None, "the configuration was checked"
        shared = await stack.enter_async_context(kind.join(settings))
    member = Member(
        shared,
        fleet=settings.fleet.name,
        name=settings.fleet.member,
        lease_seconds=settings.fleet.lease_seconds,
        rebalance_delay_seconds=settings.fleet.rebalance_delay_seconds,
        host=host,
        checkpoint_interval_seconds=interval,
        clock=given.clock,
        chance=given.chance,
        process=process,
        wall=given.wall,
    )
    stack.push_async_callback(member.close)
    return member
