"""Decides whether every order is accounted for, and if not, what is wrong. It is pure: facts in, judgement out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from poller.demo.ledger import Ledger
from poller.demo.orders import UNDELIVERABLE
from poller.demo.streams import POISON, STREAM


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """The facts on one stream or table, from producer, function, on-failure destination and daemon."""

    name: str
    produced: Collection[int]
    """Records by number."""
    ledger: Ledger
    given_up: Collection[int]
    """Records that arrived at the on-failure destination."""
    daemon: Mapping[str, int] | None
    """As of `Facts`."""

    @property
    def delivered(self) -> int:
        """Records, each counted once."""
        return len(self.ledger.shipped)

    @property
    def unaccounted(self) -> int:
        """Missing records; negative when there are more than were produced."""
        return len(self.produced) - len(self.ledger.shipped.keys() | set(self.given_up))


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts at the end, from four witnesses: producer, function, queues and daemon."""

    produced: Collection[int]
    """Orders that the queue accepted, by number."""
    ledger: Ledger
    dead: Collection[int]
    """Orders found in the dead-letter queue."""
    left: int
    """Messages still in the queue."""
    daemon: Mapping[str, int] | None
    """The mapping's account, as the daemon logs it at its end; None when it did not come so far."""
    exit_code: int | None
    """The exit code of the daemon; None when it did not end."""
    streams: Sequence[StreamFacts] = ()

    @property
    def delivered(self) -> int:
        """Orders, each counted once."""
        return len(self.ledger.shipped)

    @property
    def retried(self) -> int:
        """Orders delivered after at least one failure."""
        return len(self.ledger.shipped.keys() & self.ledger.failed.keys())

    @property
    def unaccounted(self) -> int:
        """Missing orders; negative when there are more than were produced."""
        return len(self.produced) - len(self.ledger.shipped.keys() | set(self.dead)) - self.left


def sentence(facts: Facts) -> str:
    """Return the whole account in one line."""
    parts = [f"{facts.delivered:,} delivered"]
    for count, where in (
        (len(facts.dead), "in the dead-letter queue"),
        (facts.left, "left in the queue"),
        (facts.unaccounted, "unaccounted"),
    ):
        if count:
            parts.append(f"{count:,} {where}")
    start = "not every order is accounted for" if problems(facts) else "every order accounted for"
    return f"{start}: {len(facts.produced):,} produced = {' + '.join(parts)}"


def exit_code(facts: Facts) -> int:
    """Return the exit code of the command: 0 only when everything balances."""
    return 1 if problems(facts) else 0


def problems(facts: Facts) -> list[str]:
    """Return one line for everything that does not balance; none when everything does."""
    shipped, dead = facts.ledger.shipped.keys(), set(facts.dead)
    found = [
        (facts.unaccounted != 0, f"orders unaccounted for: {facts.unaccounted:,}"),
        (facts.left != 0, f"messages left in the queue: {facts.left:,}"),
        (len(facts.dead) != len(dead), "an order is in the dead-letter queue more than once"),
        (bool(shipped & dead), f"delivered and in the dead-letter queue as well: {_list(shipped & dead)}"),
        (
            bool(dead - {UNDELIVERABLE}),
            f"in the dead-letter queue, though they can be delivered: {_list(dead - {UNDELIVERABLE})}",
        ),
        (
            bool((shipped | dead) - set(facts.produced)),
            f"delivered, but never produced: {_list((shipped | dead) - set(facts.produced))}",
        ),
    ]
    of_orders = [text for wrong, text in found if wrong] + _daemon_problems(facts)
    return of_orders + [problem for stream in facts.streams for problem in _stream_problems(stream)]


def stream_sentence(facts: StreamFacts) -> str:
    """Return the account of one stream in one line."""
    parts = [f"{facts.delivered:,} delivered"]
    for count, where in ((len(facts.given_up), "in the on-failure destination"), (facts.unaccounted, "unaccounted")):
        if count:
            parts.append(f"{count:,} {where}")
    return f"{facts.name}: {len(facts.produced):,} produced = {' + '.join(parts)}"


def _stream_problems(facts: StreamFacts) -> list[str]:
    shipped, given_up = facts.ledger.shipped.keys(), set(facts.given_up)
    poison = {POISON} if facts.name == STREAM else set()
    found = [
        (facts.unaccounted != 0, f"records unaccounted for: {facts.unaccounted:,}"),
        (len(facts.given_up) != len(given_up), "a record is in the on-failure destination more than once"),
        (bool(given_up - poison), f"given up, though they can be read: {_list(given_up - poison)}"),
        (bool(shipped & poison), "a poison record was delivered"),
    ]
    account = facts.daemon
    if account is not None:
        told, delivered = account["on_failure_destination_delivered"], account["delivered"]
        found += [
            (account["unaccounted"] != 0, f"records poller cannot account for: {account['unaccounted']:,}"),
            (told != len(facts.given_up), f"poller counts {told:,} given up, the destination {len(facts.given_up):,}"),
            (
                delivered != facts.ledger.shipped.total(),
                f"poller counts {delivered:,} deliveries, the function {facts.ledger.shipped.total():,}",
            ),
        ]
    return [f"{facts.name}: {text}" for wrong, text in found if wrong]


def _daemon_problems(facts: Facts) -> list[str]:
    if facts.exit_code is None:
        return ["poller did not stop when asked to"]
    if facts.exit_code:
        return [f"poller ended with exit code {facts.exit_code}"]
    if facts.daemon is None:
        return ["poller ended without its account"]
    account, shipped = facts.daemon, facts.ledger.shipped.total()
    found = [
        (account["unaccounted"] != 0, f"receives poller cannot account for: {account['unaccounted']:,}"),
        (account["in_flight"] != 0, f"messages in flight when poller ended: {account['in_flight']:,}"),
        (
            account["delivered"] != shipped,
            f"poller counts {account['delivered']:,} deliveries, the function {shipped:,}",
        ),
        (
            account["deleted"] != account["delivered"],
            f"poller deleted {account['deleted']:,} of {account['delivered']:,} delivered messages",
        ),
    ]
    return [text for wrong, text in found if wrong]


def _list(orders: Collection[int]) -> str:
    return ", ".join(map(str, sorted(orders)))
