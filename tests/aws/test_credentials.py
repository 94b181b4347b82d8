"""Credentials are at hand without waiting, renewed before they end, and read anew when refused."""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from aiobotocore.credentials import AioCredentials, AioRefreshableCredentials
from botocore.exceptions import CredentialRetrievalError

from poller.aws.chain import open_session
from poller.aws.credentials import CHECK_SECONDS, CredentialSource
from poller.values.errors import NoCredentials
from tests.aws.settings import Settings
from tests.http.scripted import Peer, serving


class Chain:
    """A session, as far as its credentials go; `issue` may be changed by a test."""

    def __init__(self, issue: Callable[[], Any]) -> None:
        self.issue = issue
        self.asked = 0

    async def get_credentials(self) -> Any:
        self.asked += 1
        await asyncio.sleep(0)
        return self.issue()

    def source(self) -> CredentialSource:
        return CredentialSource(lambda: self, asyncio.get_running_loop().time)


class Role:
    """Refreshable credentials numbered from 1; each is valid for `minutes`."""

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self.issued = 0
        self.broken = False
        self.hold: asyncio.Event | None = None

    def metadata(self) -> dict[str, str]:
        self.issued += 1
        end = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=self.minutes)
        number = str(self.issued)
        return {"access_key": number, "secret_key": "s", "token": "t" + number, "expiry_time": end.isoformat()}

    async def refresh(self) -> dict[str, str]:
        if self.hold is not None:
            await self.hold.wait()
        if self.broken:
            raise CredentialRetrievalError(provider="role", error_msg="unreachable")
        return self.metadata()

    def credentials(self) -> AioRefreshableCredentials:
        return AioRefreshableCredentials.create_from_metadata(
            self.metadata(), refresh_using=self.refresh, method="role"
        )


async def pass_time() -> None:
    await asyncio.sleep(CHECK_SECONDS)


async def test_static_credentials_are_read_once() -> None:
    chain = Chain(lambda: AioCredentials("a", "b", "c"))
    source = chain.source()
    assert tuple(await source.current()) == ("a", "b", "c")
    first = await source.current()
    await pass_time()
    assert await source.current() is first
    assert chain.asked == 1


async def test_many_first_calls_ask_the_chain_once() -> None:
    chain = Chain(lambda: AioCredentials("a", "b"))
    source = chain.source()
    assert len({id(found) for found in await asyncio.gather(*(source.current() for _ in range(5)))}) == 1
    assert chain.asked == 1


async def test_many_first_calls_fail_together_where_there_are_none() -> None:
    chain = Chain(lambda: None)
    source = chain.source()
    results = await asyncio.gather(*(source.current() for _ in range(5)), return_exceptions=True)
    assert {type(result) for result in results} == {NoCredentials}
    assert chain.asked == 1


async def test_no_credentials_at_all_is_told_and_recovers() -> None:
    chain = Chain(lambda: None)
    source = chain.source()
    with pytest.raises(NoCredentials, match="no AWS credentials found"):
        await source.current()
    chain.issue = lambda: AioCredentials("a", "b")
    assert (await source.current()).access_key == "a"


async def test_a_provider_that_fails_is_told_and_recovers() -> None:
    def broken() -> Any:
        raise CredentialRetrievalError(provider="sso", error_msg="token has expired")

    chain = Chain(broken)
    source = chain.source()
    with pytest.raises(NoCredentials, match="token has expired"):
        await source.current()
    chain.issue = lambda: AioCredentials("a", "b")
    assert (await source.current()).access_key == "a"


async def test_credentials_near_their_end_are_renewed_by_the_next_check() -> None:
    role = Role(minutes=12)
    source = Chain(role.credentials).source()
    # 12 minutes are within the SDK's 15 minutes of advisory refresh: each check renews
    assert (await source.current()).access_key == "2"
    assert (await source.current()).access_key == "2"
    await pass_time()
    assert (await source.current()).token == "t3"


async def test_while_one_renews_the_others_go_on_with_what_is_valid() -> None:
    role = Role(minutes=12)
    source = Chain(role.credentials).source()
    await source.current()
    await pass_time()
    role.hold = asyncio.Event()
    renewing = asyncio.create_task(source.current())
    await asyncio.sleep(0)
    assert (await source.current()).access_key == "2"
    role.hold.set()
    assert (await renewing).access_key == "3"


async def test_a_renewal_that_fails_before_the_end_changes_nothing() -> None:
    role = Role(minutes=5)
    source = Chain(role.credentials).source()
    assert (await source.current()).access_key == "2"
    role.broken = True
    await pass_time()
    assert (await source.current()).access_key == "2"
    role.broken = False
    await pass_time()
    assert (await source.current()).access_key == "3"


async def test_how_long_credentials_last_is_told_only_when_they_should_have_been_renewed() -> None:
    source = Chain(Role(minutes=60).credentials).source()
    assert source.ends_in() is None
    await source.current()
    assert source.ends_in() is None
    source = Chain(Role(minutes=4).credentials).source()
    await source.current()
    assert source.ends_in() == 300


async def test_credentials_without_an_end_never_end() -> None:
    source = Chain(lambda: AioCredentials("key", "secret")).source()
    await source.current()
    assert source.ends_in() is None


async def test_expired_credentials_that_cannot_be_renewed_are_not_used() -> None:
    role = Role(minutes=-1)
    role.broken = True
    source = Chain(role.credentials).source()
    with pytest.raises(NoCredentials, match="unreachable"):
        await source.current()
    role.broken, role.minutes = False, 60
    assert (await source.current()).access_key == "2"


async def test_refused_credentials_are_read_anew_once_for_all_who_were_refused() -> None:
    chain = Chain(lambda: AioCredentials(str(chain.asked), "b"))
    source = chain.source()
    refused = await source.current()
    assert await asyncio.gather(*(source.replace(refused) for _ in range(4))) == [True] * 4
    assert (await source.current()).access_key == "2"
    assert chain.asked == 2


async def test_refused_credentials_that_nobody_replaced_stay_refused() -> None:
    chain = Chain(lambda: AioCredentials("a", "b"))
    source = chain.source()
    refused = await source.current()
    assert await asyncio.gather(*(source.replace(refused) for _ in range(4))) == [False] * 4
    assert chain.asked == 2
    chain.issue = lambda: None
    assert not await source.replace(refused)


async def test_a_session_reads_profile_and_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    file = tmp_path / "credentials"
    file.write_text("[ops]\naws_access_key_id = of-ops\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    for settings, expected in ((Settings(profile="ops"), "of-ops"), (Settings(), "of-environment")):
        source = CredentialSource(lambda settings=settings: open_session(settings, "eu-west-1"), lambda: 0.0)  # type: ignore[misc]
        assert (await source.current()).access_key == expected


async def test_a_profile_that_does_not_exist_is_told() -> None:
    source = CredentialSource(lambda: open_session(Settings(profile="nobody"), "eu-west-1"), lambda: 0.0)
    with pytest.raises(NoCredentials, match="nobody"):
        await source.current()


@pytest.mark.real_time
@pytest.mark.usefixtures("credentials")
async def test_a_role_is_assumed_with_its_external_id_and_its_credentials_are_used() -> None:
    asked = []

    async def sts(peer: Peer) -> None:
        while request := await peer.request():
            asked.append(request.decode())
            end = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()
            body = (
                "<AssumeRoleResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleResult><Credentials>"
                "<AccessKeyId>role-key</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
                f"<SessionToken>role-token</SessionToken><Expiration>{end}</Expiration>"
                "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
            )
            await peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    async with serving(sts) as server:
        settings = Settings(
            role_arn="arn:aws:iam::123456789012:role/poller",
            external_id="our-id",
            endpoints={"sts": str(server.origin)},
        )
        source = CredentialSource(lambda: open_session(settings, "eu-west-1"), lambda: 0.0)
        assert tuple(await source.current()) == ("role-key", "s", "role-token")
        assert len(asked) == 1
        assert "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fpoller" in asked[0]
        assert "ExternalId=our-id" in asked[0]
        # and a client of the same kind of session has them, too
        found = await open_session(settings, "eu-west-1").get_credentials()
        assert (await found.get_frozen_credentials()).access_key == "role-key"
