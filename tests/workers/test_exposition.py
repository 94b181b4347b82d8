"""The metrics of several workers as one: sums, the least and the greatest, and nothing that falls when a worker dies."""

import asyncio

from poller.daemon.api.isolation import Isolation
from poller.daemon.api.metrics import exposition
from poller.ports.status import MappingState, Reason, ReasonCode
from poller.workers.departed import Departed
from poller.workers.exposition import merged, merged_metrics, parsed, text_of
from tests.daemon.samples import Running, a_daemon, a_mapping

POLLED = 'poller_polled_events_total{mapping="orders"}'
IN_FLIGHT = 'poller_in_flight_events{mapping="orders"}'
RETURNED = 'poller_returned_events_total{mapping="orders"}'


def text(*mappings):
    """As a worker with these mappings is scraped."""
    now = asyncio.get_running_loop().time()
    parts, _ = exposition(a_daemon(*mappings), "text/plain", now, Isolation())
    return b"".join(parts).decode()


def of(polled=0, in_flight=0, **values):
    mapping = a_mapping(**values)
    mapping.account.polled = polled
    mapping.run = Running(in_flight=lambda: in_flight)
    return mapping


def samples(families):
    return {key: value for family in families.values() for key, value in family.samples.items()}


async def test_what_is_parsed_is_written_as_it_was():
    one = text(of(polled=3))
    assert samples(parsed(text_of(parsed(one)))) == samples(parsed(one))
    assert {name: (family.kind, family.text) for name, family in parsed(text_of(parsed(one))).items()} == {
        name: (family.kind, family.text) for name, family in parsed(one).items()
    }


async def test_counters_and_histograms_are_summed():
    one, other = of(polled=3), of(polled=4)
    one.account.count_invocation("succeeded", 3, 0.1)
    other.account.count_invocation("succeeded", 4, 0.1)
    found = samples(merged([parsed(text(one)), parsed(text(other))]))
    assert found[POLLED] == 7
    assert found['poller_batch_size_sum{mapping="orders"}'] == 7
    assert found['poller_batch_size_bucket{mapping="orders",le="+Inf"}'] == 2


async def test_a_mapping_is_in_one_state_and_tells_no_reason_of_a_worker_that_leaves_it_to_another():
    well, ill = of(), of(state=MappingState.PROBLEM, reason=Reason(ReasonCode.ACCESS_DENIED))
    rests = of(reason=Reason(ReasonCode.NOT_MINE))
    found = samples(merged([parsed(text(one)) for one in (well, ill, rests)]))
    states = [key for key, value in found.items() if key.startswith("poller_mapping_state{") and value]
    assert states == ['poller_mapping_state{mapping="orders",state="problem"}']
    reasons = [key for key in found if key.startswith("poller_mapping_reason{")]
    assert reasons == ['poller_mapping_reason{mapping="orders",reason="access_denied"}']


async def test_a_sum_never_falls_when_a_worker_dies_and_what_it_had_in_flight_counts_as_returned():
    departed = Departed()
    texts = {"one": text(of(polled=10, in_flight=4)), "other": text(of(polled=5))}
    assert samples(merged(departed.with_departed(texts, {"one", "other"})))[POLLED] == 15
    texts = {"other": text(of(polled=6)), "again": text(of(polled=1))}
    found = samples(merged(departed.with_departed(texts, {"other", "again"})))
    assert (found[POLLED], found[RETURNED], found[IN_FLIGHT]) == (17, 4, 0)
    assert samples(merged(departed.with_departed(texts, {"other", "again"})))[POLLED] == 17


async def test_the_parent_adds_how_many_workers_answer_and_how_often_each_began():
    whole = merged_metrics([parsed(text(of()))], 1, {"1": 1, "2": 3})
    assert "\npoller_workers 1\n" in whole
    assert '\npoller_worker_starts_total{worker="2"} 3\n' in whole
