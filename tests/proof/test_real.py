"""Real processes on a real database, whose connections fail and which is stopped while they work: a minute each."""

import asyncio

import pytest

from tests.proof.__main__ import broken
from tests.proof.real import FAULTY, IMMEDIATE_STOP, SCENARIOS, measured, stores

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.mark.parametrize(
    ("kind", "name"), [("postgresql", FAULTY), ("postgresql", IMMEDIATE_STOP), ("dynamodb", FAULTY)]
)
def test_what_happens_to_the_store_costs_no_record_no_order_and_no_account(kind: str, name: str) -> None:
    with stores(kind) as empty:
        outcome = asyncio.run(measured(SCENARIOS[kind][name], empty()))
    assert outcome.records > 500
    assert broken(name, outcome) == []
