"""The shards of a stream: listed for the whole mapping, listed again every minute, and at once when a shard ends.

Also checks that it is still the same stream: a new one of the same name makes every stored position meaningless.
"""

import asyncio
from collections.abc import Collection
from hashlib import blake2b

from poller.aws.error_reasons import cause_of, code_of, said_of
from poller.policy.advice import with_advice
from poller.policy.backoff import SOURCE, Backoff
from poller.policy.shards import holes, may_start, waits_for
from poller.policy.unanswered import UnansweredCalls
from poller.ports.status import PartitionStatus, Reason, ReasonCode
from poller.sources.sharded.api import Shard, StreamFacts
from poller.sources.sharded.stream import Stream
from poller.sources.sharded.wakeup import Wakeup
from poller.values.errors import CallError, SourceUnavailable, StreamGone

REFRESH = 60.0
"""Seconds between two listings, plus or minus a quarter: shards may appear before a shard is read to its end."""
LISTING = 30.0
"""Seconds a listing of all pages may take before the stream counts as silent."""
SOON = Backoff(first=1.0, cap=REFRESH)
"""Delay between listings while a shard has ended and its children are not listed yet."""


def _digest(shards: Collection[Shard], facts: StreamFacts) -> str:
    """The same for the same stream: other daemons compare it."""
    listed = sorted((shard.id, shard.parents, shard.closed) for shard in shards)
    text = repr((listed, facts.epoch, facts.active, facts.retention))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


class Topology:
    """The listed shards, and those that a shard's end has named."""

    def __init__(self, stream: Stream) -> None:
        self.wakeup = Wakeup()
        """Notified when a shard may start, and when the listing is due at once."""
        self.shards: dict[str, Shard] = {}
        self.unanswered = UnansweredCalls(LISTING)
        self._stream = stream
        self._due = 0.0
        self._failures = 0
        self._childless: set[str] = set()
        """Shards that have ended and have no listed child."""
        self._unclear: set[str] = set()
        """Shards that gave no iterator and are not listed as ended."""
        self._listed = Wakeup()
        """Notified after every listing."""
        self._listings = 0
        self._must_recheck = False
        self._holes: list[tuple[int, int]] = []
        self._again = False
        self._found: str | None = None
        """The digest of the last listing; None after one that failed."""
        self._followed: str | None = None
        """The last digest of another daemon for which this one has listed."""

    def startable(self, running: Collection[str]) -> list[Shard]:
        """Shards that may be read now and that nobody reads yet."""
        return may_start(list(self.shards.values()), self._finished(), running)

    def look_again(self) -> None:
        """What may be read has changed. Unlike a notification, this is kept until somebody asks."""
        self._again = True
        self.wakeup.notify()

    def waiting(self, running: Collection[str]) -> list[PartitionStatus]:
        """Shards that may not be read yet, each with the parents it waits for."""
        finished = self._finished()
        return [
            PartitionStatus(
                shard.id, reason=Reason(ReasonCode.PARENT, f"waits for {' and '.join(parents)} to be finished")
            )
            for shard in self.shards.values()
            if shard.id not in finished
            and shard.id not in running
            and (parents := waits_for(shard, self.shards, finished, running))
        ]

    def _finished(self) -> set[str]:
        return {shard_id for shard_id, shard in self._stream.progress.shards.items() if shard.finished}

    def learn(self, children: tuple[Shard, ...]) -> None:
        """A shard's end named its children."""
        for child in children:
            self.shards.setdefault(child.id, child)

    def finished(self, shard_id: str) -> None:
        """A shard is finished: its children may start, once they are known."""
        if not any(shard_id in shard.parents for shard in self.shards.values()):
            self._childless.add(shard_id)
            self._listings = 0
            self._due = asyncio.get_running_loop().time()
        self.wakeup.notify()

    def closed(self, shard_id: str) -> bool:
        """Whether a shard has ended by the listing: with a number, or because it is not there any more."""
        listed = self.shards.get(shard_id)
        return listed is None or listed.closed

    async def confirm_end(self, shard_id: str, seconds: float) -> None:
        """A shard gave no iterator although it is not listed as ended: list at once, then ever less often while that
        is so. Waits for the listing, at most `seconds`.
        """
        if shard_id not in self._unclear:
            self._unclear.add(shard_id)
            self._listings = 0
            self._due = asyncio.get_running_loop().time()
            self.wakeup.notify()
        await self._listed.wait(seconds)

    def has_more(self, shard_id: str) -> None:
        """A shard gave an iterator."""
        self._unclear.discard(shard_id)

    def recheck(self) -> None:
        """A call said that the stream is gone: check at once whether it is still the same."""
        self._must_recheck = True
        self._due = asyncio.get_running_loop().time()
        self.wakeup.notify()

    async def check(self) -> None:
        """Check before a shard is entered that it may be read. Raises SourceUnavailable."""
        if self._stream.refused is not None:
            raise self._stream.refused
        if self._must_recheck:
            time = asyncio.get_running_loop().time
            self.unanswered.asked(time())
            try:
                await self._stream.api.facts()
            except StreamGone as error:
                raise SourceUnavailable("source_missing", f"{self._stream.arn}: {error}") from error
            except CallError as error:
                what = said_of(error, "describing the stream", self._stream.arn)
                raise SourceUnavailable(code_of(error), what, cause_of(error)) from error
            finally:
                self.unanswered.answered(time())

    async def refreshed(self) -> StreamFacts | None:
        """Wait until a listing is due or the wakeup is notified. Returns the facts after a listing, else None."""
        now = asyncio.get_running_loop().time()
        if now < self._due and not self._again:
            await self.wakeup.wait(self._due - now)
        self._again = False
        self._follow()
        if self._stream.admission.stopping or asyncio.get_running_loop().time() < self._due:
            return None
        return await self._list()

    def _follow(self) -> None:
        """Leave the usual listings to another daemon while it finds what this one has found, and list at once when it
        finds something else.
        """
        other, now = self._stream.holdings.listing(), asyncio.get_running_loop().time()
        if other is None or self._found is None:
            return
        if other != self._found:
            if other != self._followed:
                self._followed, self._due = other, now
        elif now >= self._due and not (self._failures or self._childless or self._unclear or self._must_recheck):
            self._due = now + self._usual()

    def _usual(self) -> float:
        return REFRESH * (0.75 + 0.5 * self._stream.chance())

    async def _list(self) -> StreamFacts | None:
        """List all shards; None after a failure, which is shown; the listing is retried when due."""
        stream, loop = self._stream, asyncio.get_running_loop()
        self.unanswered.asked(loop.time())
        try:
            shards = await stream.api.shards()
            facts = await stream.api.facts()
        except (CallError, StreamGone) as error:
            self._show_failure(error)
            return None
        finally:
            self.unanswered.answered(loop.time())
        self._failures = 0
        now = loop.time()
        stream.clock.observe(facts.date, now)
        self._must_recheck = False
        self.shards = {shard.id: shard for shard in shards}
        parents = {parent for shard in shards for parent in shard.parents}
        self._childless = {shard_id for shard_id in self._childless - parents if shard_id in self.shards}
        self._unclear = {shard_id for shard_id in self._unclear if not self.closed(shard_id)}
        self._listings += 1
        usual = self._usual()
        self._due = now + (
            min(usual, SOON.delay(self._listings, stream.chance)) if self._childless | self._unclear else usual
        )
        self._listed.notify()
        self._found = _digest(shards, facts)
        stream.holdings.listed(self._found)
        self._log_holes(shards)
        return facts

    def _show_failure(self, error: CallError | StreamGone) -> None:
        stream = self._stream
        self._found = None
        stream.holdings.listed(None)
        if isinstance(error, StreamGone):
            text = f"{stream.arn}: {error}; check the ARN, the region and the endpoint_url"
            self.show_unavailable(ReasonCode.SOURCE_MISSING, text)
        else:
            text = said_of(error, "listing the shards", stream.arn)
            self.show_unavailable(ReasonCode(code_of(error)), text, cause_of(error))

    def show_unavailable(self, code: ReasonCode, text: str, *causes: str) -> None:
        """Show why the source is not read, and try again after a while."""
        self._failures += 1
        status, now = self._stream.status, asyncio.get_running_loop().time()
        delay = SOURCE.delay(self._failures, self._stream.chance)
        self._due = now + delay
        before = status.source_problem
        since = before.since if before is not None and before.code is code else now
        status.source_problem, status.reached = (
            Reason(code, text, since=since, next_try=self._due, causes=causes),
            True,
        )
        status.show_problems()
        self._stream.log.repeating("source_unavailable", now, code=code.value, text=with_advice(text, *causes))

    def _log_holes(self, shards: list[Shard]) -> None:
        found = holes(shards)
        if found and found != self._holes:
            self._stream.log.repeating(
                "hole_in_hash_keys",
                asyncio.get_running_loop().time(),
                ranges=[f"{first}-{last}" for first, last in found],
                text="no listed shard takes these hash keys; records with such keys would not be read",
            )
        self._holes = found
