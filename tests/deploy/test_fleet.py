"""What a fleet needs beside its daemons: the tables with their grants, and the policy. Both are what the program prints."""

import json
from uuid import uuid4

import pytest

from poller.cli.permissions import policies
from poller.configuration import load
from poller.state.postgresql.schema import script
from poller.state.sole import Sole, new_member
from tests.deploy.tools import DEPLOY
from tests.servers.postgresql import in_schema

GRANTS = DEPLOY / "postgresql/fleet.sql"
HOSTS = DEPLOY / "systemd/fleet.yaml"


def test_the_grants_are_those_that_the_program_prints():
    assert GRANTS.read_text(encoding="utf-8") == script("postgresql://poller@db.example.com/poller"), (
        "run: poller state migrate --print, with `state: postgresql://poller@db.example.com/poller`"
    )


def test_the_policy_is_that_of_the_hosts():
    policy = json.loads((DEPLOY / "iam/fleet.json").read_text(encoding="utf-8"))
    again = "run: poller iam-policy --config deploy/systemd/fleet.yaml --for default > deploy/iam/fleet.json"
    assert policy == policies(load([HOSTS], environ={}))["default"], again
    assert "StateTable" in {statement["Sid"] for statement in policy["Statement"]}


def test_the_hosts_are_one_fleet_with_one_file():
    configuration = load([HOSTS], environ={})
    assert configuration.settings.fleet is not None
    assert configuration.warnings == []


@pytest.mark.real_time
async def test_a_role_with_these_grants_alone_is_enough_for_a_daemon(postgresql_url):
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'poller[postgresql]'")
    from poller.policy.progress import StreamProgress
    from poller.state.postgresql.opening import opened

    role = f"poller-{uuid4()}"
    owner = in_schema(postgresql_url, f"deploy-{uuid4()}")
    schema = owner.rpartition("%3D")[2]
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(f'CREATE ROLE "{role}" LOGIN'.encode())
        connection.execute(f'GRANT USAGE ON SCHEMA "{schema}" TO "{role}"'.encode())
        connection.execute(GRANTS.read_text(encoding="utf-8").replace('"poller"', f'"{role}"').encode())
    async with opened(owner.replace("postgres@", f"{role}@"), "poller") as store:
        first = StreamProgress("clicks", "arn:stream", "epoch", None, {})
        assert await Sole(store, new_member()).open("u", first) == first
        assert await store.join(new_member(), {})
