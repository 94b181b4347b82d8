"""Services are found where the SDK finds them."""

from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError

from poller.aws.chain import open_session
from poller.aws.endpoints import Endpoint, resolve_endpoint
from tests.aws.settings import Settings

SERVICES = ["sqs", "kinesis", "dynamodbstreams", "lambda"]


def resolve(service: str, settings: Settings | None = None, region: str = "eu-west-1") -> Endpoint:
    settings = settings or Settings()
    return resolve_endpoint(open_session(settings, region), settings, service, region)


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1", "cn-north-1", "us-gov-west-1", "ap-southeast-7"])
async def test_the_rules_give_what_the_sdks_client_has(region: str) -> None:
    session = open_session(Settings(), region)
    for service in SERVICES:
        async with session.create_client(service, region_name=region) as client:
            found = resolve(service, region=region)
            assert found.url == client.meta.endpoint_url
            assert found.signing_name == client.meta.service_model.signing_name
            assert found.region == region


def test_a_configured_url_and_region_win() -> None:
    settings = Settings(endpoint_url="http://all", endpoints={"sqs": "http://queues"}, regions={"sqs": "us-east-2"})
    assert resolve("sqs", settings) == ("http://queues", "us-east-2", "sqs")
    assert resolve("dynamodbstreams", settings) == ("http://all", "eu-west-1", "dynamodb")


def test_the_sdks_own_settings_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://everywhere")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "http://streams")
    assert resolve("sqs").url == "http://everywhere"
    assert resolve("dynamodbstreams").url == "http://streams"
    assert resolve("sqs", Settings(endpoint_url="http://ours")).url == "http://ours"
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert resolve("sqs").url == "https://sqs.eu-west-1.amazonaws.com"


def test_a_profiles_settings_apply(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("[profile ops]\nuse_fips_endpoint = true\n[profile local]\nendpoint_url = http://local\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    assert (
        resolve("kinesis", Settings(profile="ops"), "us-east-1").url == "https://kinesis-fips.us-east-1.amazonaws.com"
    )
    assert resolve("kinesis", Settings(profile="local")).url == "http://local"


def test_a_profile_that_does_not_exist_is_an_error_of_the_sdk() -> None:
    with pytest.raises(BotoCoreError):
        resolve("sqs", Settings(profile="nobody"))
