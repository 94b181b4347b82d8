"""What every type of function promises, whatever its counterpart does: one suite over all of them."""

import asyncio
import json
import resource

import pytest

from poller.policy.response import Failed, NotInvoked, Succeeded, TooLarge
from tests.contracts.counterparts import CUTS, Does
from tests.contracts.functions import KINDS

pytestmark = [pytest.mark.real_time, pytest.mark.usefixtures("sdk_does_not_sleep")]
EVENT = '{"Records": [{"messageId": "1", "body": "é \\u0000 \\"x\\""}]}'.encode()
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
AT_ONCE = 1000


def able(*behaviours):
    """Over every kind whose counterpart can do all of these."""
    found = [kind for kind in KINDS if kind.can.issuperset(behaviours)]
    return pytest.mark.parametrize("kind", found, ids=lambda kind: kind.name)


@able(Does.ECHO)
async def test_a_success_is_the_whole_answer_to_the_whole_event_and_the_trace_goes_along(kind):
    async with kind.open(Does.ECHO) as (function, counterpart):
        for trace in (TRACE, None):
            outcome = await function.invoke(EVENT, trace)
            assert (type(outcome), outcome.body) == (Succeeded, EVENT)
        assert counterpart.events == [EVENT, EVENT]
        assert counterpart.traces == [TRACE, None]


@able(Does.NOT_JSON)
async def test_an_answer_that_is_no_json_is_a_success_for_whoever_does_not_read_it(kind):
    async with kind.open(Does.NOT_JSON) as (function, _):
        outcome = await function.invoke(EVENT)
        assert (type(outcome), outcome.body) == (Succeeded, b"not JSON")


@able(Does.FAIL)
async def test_an_error_of_the_function_has_failed_and_says_what_it_was(kind):
    async with kind.open(Does.FAIL, Does.ECHO) as (function, counterpart):
        outcome = await function.invoke(EVENT)
        assert isinstance(outcome, Failed)
        assert "KeyError: x" in outcome.detail
        assert isinstance(await function.invoke(EVENT), Succeeded)
        assert len(counterpart.events) == 2


@able(Does.THROTTLE)
async def test_a_throttle_was_no_invocation_and_its_advice_is_kept(kind):
    async with kind.open(Does.THROTTLE, Does.ECHO) as (function, counterpart):
        outcome = await function.invoke(EVENT)
        assert isinstance(outcome, NotInvoked)
        assert (outcome.code, outcome.retry_after) == ("throttled", 7)
        assert isinstance(await function.invoke(EVENT), Succeeded)
        assert len(counterpart.events) == 2, "it is not tried again by itself"


@able(Does.REFUSE_SIZE)
async def test_an_event_refused_for_its_size_is_too_large(kind):
    async with kind.open(Does.REFUSE_SIZE) as (function, _):
        assert isinstance(await function.invoke(EVENT), TooLarge)


@able(Does.WAIT)
async def test_a_slow_answer_is_waited_for(kind):
    async with kind.open(Does.WAIT) as (function, counterpart):
        invocation = asyncio.create_task(function.invoke(EVENT))
        await counterpart.began.wait()
        done, _ = await asyncio.wait([invocation], timeout=0.05)
        assert not done
        counterpart.gate.set()
        assert isinstance(await invocation, Succeeded)


@able(Does.HANG)
async def test_a_hang_has_failed_once_its_time_is_over_and_the_other_side_is_let_go(kind):
    async with kind.open(Does.HANG, Does.ECHO, timeout=0.2) as (function, counterpart):
        assert isinstance(await function.invoke(EVENT), Failed)
        await counterpart.gone.wait()
        assert counterpart.events == [EVENT]


@able(*CUTS)
@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.name.lower())
async def test_a_connection_cut_at_any_stage_has_failed_and_the_event_went_out_once(kind, cut):
    async with kind.open(cut, Does.ECHO) as (function, counterpart):
        outcome = await function.invoke(EVENT)
        assert isinstance(outcome, Failed)
        assert counterpart.events == [EVENT]
        assert isinstance(await function.invoke(EVENT), Succeeded)


@able(Does.HUGE)
async def test_a_huge_answer_has_failed_and_the_next_is_read(kind):
    async with kind.open(Does.HUGE, Does.ECHO) as (function, _):
        assert isinstance(await function.invoke(EVENT), Failed)
        assert isinstance(await function.invoke(EVENT), Succeeded)


@able(Does.HANG, Does.ECHO)
async def test_an_invocation_that_is_cancelled_lets_go_and_leaves_no_trace(kind):
    async with kind.open(Does.HANG, Does.ECHO) as (function, counterpart):
        invocation = asyncio.create_task(function.invoke(EVENT))
        await counterpart.began.wait()
        invocation.cancel()
        with pytest.raises(asyncio.CancelledError):
            await invocation
        await counterpart.gone.wait()
        assert isinstance(await function.invoke(EVENT), Succeeded)


@pytest.fixture
def _descriptors():
    """A connection has one at each end, both in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 3 * AT_ONCE
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"raise the limit of open files (ulimit -n) to {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_descriptors")
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, id=kind.name, marks=[pytest.mark.slow] if kind.slow else []) for kind in KINDS]
)
async def test_a_thousand_at_once_each_have_their_own_answer(kind):
    async with kind.open(Does.ECHO, timeout=60) as (function, _):
        events = [json.dumps({"Records": [number]}).encode() for number in range(AT_ONCE)]
        outcomes = await asyncio.gather(*(function.invoke(event) for event in events))
        assert [type(outcome) for outcome in outcomes] == [Succeeded] * AT_ONCE
        assert [outcome.body for outcome in outcomes] == events
