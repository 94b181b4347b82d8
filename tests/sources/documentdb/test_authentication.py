"""Who reads a cluster: the driver proves it by SCRAM-SHA-256, over TLS and without, with the secret as it is by now."""

import asyncio
import gc
import ssl
import time
from contextlib import asynccontextmanager
from functools import partial

import pytest

from poller.sources.documentdb.cluster import Cluster, connection
from poller.sources.documentdb.driver import Driver, client_options
from poller.sources.documentdb.server import CommandFailed, hello
from poller.values.errors import CallError
from tests.fakes.mongo.commands import FakeMongo
from tests.fakes.mongo.server import serving
from tests.http.scripted import CERTIFICATES

pytestmark = [
    pytest.mark.real_time,
    # the driver leaves a socket open that it was connecting while it was closed
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]
OPTIONS = client_options("poller-test") | {"serverSelectionTimeoutMS": 2000, "heartbeatFrequencyMS": 500}
SECRET_ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop"
LIST = {"listCollections": 1}


@pytest.fixture(autouse=True)
def _left_by_the_driver():
    """Found here, and not during another test."""
    yield
    gc.collect()


class Secrets:
    """Secrets Manager with one secret."""

    def __init__(self, password):
        self.password = password
        self.asked = 0

    async def call(self, service, method, **arguments):
        assert (service, method, arguments) == ("secretsmanager", "get_secret_value", {"SecretId": SECRET_ARN})
        self.asked += 1
        return {"SecretString": f'{{"username": "reader", "password": "{self.password}"}}'}


@asynccontextmanager
async def reached(secrets, *, tls=False, trusted=True, users=None):
    """The server, and a driver that has the secret of `secrets`; None is without one."""
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATES / "valid.pem")
    users = {"reader": "p/w@ü,=1"} if users is None else users
    bound = {"ssl_handshake_timeout": 2.0} if tls else {}
    async with serving(FakeMongo(time.time), users=users, ssl=context, **bound) as server:
        uri = f"mongodb://127.0.0.1:{server.port}/?replicaSet=rs0" + ("&tls=true" if tls else "")
        cluster = Cluster(
            "shop",
            lambda: uri,
            None if secrets is None else lambda: SECRET_ARN,
            str(CERTIFICATES / "authority.pem") if tls and trusted else None,
        )
        # nothing is asked without a secret
        call = (secrets or Secrets("")).call
        driver = Driver(partial(connection, cluster, call), OPTIONS)
        try:
            yield server, driver
        finally:
            await driver.close()
            # the driver may have left in the middle of one, which the server learns later
            if handshakes := {task for task in asyncio.all_tasks() if "_accept_connection2" in repr(task.get_coro())}:
                await asyncio.wait(handshakes)


@pytest.mark.parametrize("tls", [False, True])
async def test_a_user_with_the_right_password_reads(tls):
    async with reached(Secrets("p/w@ü,=1"), tls=tls) as (server, driver):
        said = await hello(driver)
        assert said["ok"] == 1
        reply = await driver.run("shop", {"aggregate": "orders", "pipeline": [{"$changeStream": {}}], "cursor": {}})
        assert reply
        assert server.mongo.commands["aggregate"] == 1


@pytest.mark.parametrize("tls", [False, True])
async def test_another_password_is_a_reason_without_the_password_in_it(tls):
    async with reached(Secrets("wr0ng-one"), tls=tls) as (server, driver):
        with pytest.raises(CommandFailed) as caught:
            await hello(driver)
        assert caught.value.reason == "credentials"
        assert "wr0ng-one" not in str(caught.value)
        assert server.mongo.commands["aggregate"] == 0


async def test_a_rotated_secret_is_taken_at_the_next_command_after_a_refusal():
    secrets = Secrets("old")
    async with reached(secrets, users={"reader": "old"}) as (server, driver):
        await hello(driver)
        server.users["reader"] = secrets.password = "new"
        server.cut()
        for _ in range(3):
            try:
                said = await hello(driver)
                break
            except CallError as error:
                # the cut, then the password that was valid
                last = error
        else:
            raise AssertionError(last)
        assert said["ok"] == 1
        assert secrets.asked == 2


async def test_a_user_who_does_not_say_who_it_is_reads_nothing():
    async with reached(None) as (_, driver):
        with pytest.raises(CommandFailed) as caught:
            await driver.run("shop", {"aggregate": "orders", "pipeline": [{"$changeStream": {}}], "cursor": {}})
        assert caught.value.reason == "access_denied"


async def test_a_certificate_that_nobody_known_has_signed_gets_no_password():
    async with reached(Secrets("p/w@ü,=1"), tls=True, trusted=False) as (server, driver):
        with pytest.raises(CallError):
            await hello(driver)
        assert not server.mongo.commands
