"""One daemon's life in a fleet: its row, its beats, and until when it may act by them.

joins -> beats -> a beat is stored: may act until 0.9 of the lease after it was sent
               -> no beat is stored for so long: suspended. Nothing begins, all is kept
               -> a later beat is stored: goes on as if nothing had been
               -> its row is dead: this life is over, all it held is lost, and it joins with a new id
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from structlog.typing import FilteringBoundLogger

from poller.policy.backoff import Chance
from poller.policy.membership import valid_until
from poller.ports.fleet import FleetStore, MemberState
from poller.ports.fleet_status import FleetStatus
from poller.sources.sharded.wakeup import Wakeup
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.errors import StateError

BEATS = 3
"""Beats in one lease: two of them may fail without consequence."""
AGAIN_SECONDS = 1.0
"""After a beat that was not stored."""
NEWS_SECONDS = 0.1
"""Time to gather what others should know, before a beat tells it."""
JITTER = 0.05
"""Part by which beats vary, so that members do not beat together for ever."""


class Life:
    """Times are seconds of `clock`, which must not stop while the machine is suspended."""

    def __init__(
        self,
        store: FleetStore,
        lease_seconds: float,
        *,
        facts: Callable[[], Mapping[str, Any]],
        clock: Callable[[], float],
        chance: Chance,
        log: FilteringBoundLogger,
        status: FleetStatus,
        ended: Callable[[], None],
        told: Callable[[], None],
    ) -> None:
        """`facts` are what others need to know, asked before each beat. `ended` is called at the end of this life,
        `told` once new facts are stored.
        """
        self.id = str(uuid4())
        self.state = MemberState.ACTIVE
        self.joined = False
        self.valid_since = float("-inf")
        """When the daemon began to be valid without a break."""
        self.renewed = Wakeup()
        """Notified when work may begin again after it might not."""
        self._store = store
        self._lease_seconds = lease_seconds
        self._facts = facts
        self.now = clock
        self.chance = chance
        self.log = log
        self.status = status
        self._repeating = RateLimitedLog(log)
        self._ended = ended
        self._tell = told
        self._until = float("-inf")
        self._beat = 0
        self._news = 0
        self._told: Mapping[str, Any] | None = None
        self._soon = asyncio.Event()

    def valid(self) -> bool:
        """Whether the daemon may act: no other one declares it dead before the end of this."""
        return self.now() < self._until

    @property
    def may_hold(self) -> bool:
        """Whether it takes shards."""
        return self.joined and self.state is MemberState.ACTIVE

    def tell(self) -> None:
        """Others should read the rows: a shard was released or finished, or a mapping paused. A beat says so soon."""
        self._news += 1
        self._soon.set()

    def hurry(self) -> None:
        """The facts have changed. A beat says so soon."""
        self._soon.set()

    def leave(self) -> None:
        """Take no more shards. A beat says so soon."""
        self.state = MemberState.LEAVING
        self._soon.set()

    async def run(self) -> None:
        """Join, and beat until cancelled."""
        while True:
            stored = await self._live()
            pause = self._lease_seconds / BEATS if stored else AGAIN_SECONDS
            await self._pause(pause * (1 - JITTER + JITTER * self.chance()))

    async def _pause(self, seconds: float) -> None:
        """Until the next beat is due, or there is something to tell."""
        try:
            async with asyncio.timeout(seconds):
                await self._soon.wait()
        except TimeoutError:
            return
        await asyncio.sleep(NEWS_SECONDS)

    async def _live(self) -> bool:
        """Join, or beat. Returns whether that was stored."""
        self._soon.clear()
        facts, sent = self._facts(), self.now()
        try:
            alive = await (self._store.join(self.id, facts) if not self.joined else self._send_beat(facts))
        except StateError as error:
            # it may be stored, so whatever the facts are by then, the next beat says them
            self._told = None
            text = str(error)
            self._repeating.repeating("fleet_store_failed", asyncio.get_running_loop().time(), text=text)
            return False
        if not alive:
            self._begin_again()
            return False
        if not self.joined:
            self.joined = True
            self.status.lives += 1
            self.status.id = self.id
            self.log.info("fleet_joined", member=self.id)
        if facts != self._told:
            self._told = facts
            self._tell()
        self.renew(valid_until(sent, self._lease_seconds))
        return True

    async def _send_beat(self, facts: Mapping[str, Any]) -> bool:
        # never the same number again, whatever became of the last one
        self._beat += 1
        news = None if facts == self._told else facts
        return await self._store.beat(self.id, self._beat, self.state, self._news, news)

    def renew(self, until: float) -> None:
        """A beat was stored: the daemon may act until then."""
        suspended = not self.valid()
        self._until = max(self._until, until)
        if suspended and self.valid():
            self.valid_since = self.now()
            self.renewed.notify()

    def _begin_again(self) -> None:
        self.log.error("fleet_life_over", member=self.id, text="other daemons declared this one dead; it joins anew")
        self._until = float("-inf")
        self._ended()
        self.id, self.joined, self._beat, self._told = str(uuid4()), False, 0, None
        self._soon.set()

    async def end(self) -> None:
        """The row is dead from now on, so that nobody waits for the lease. Raises StateError."""
        self._until = float("-inf")
        if self.joined:
            await self._store.leave(self.id)
