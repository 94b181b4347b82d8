"""Resolves a service's endpoint: the configured URL, else the SDK's own settings and rules, without a client."""

from typing import NamedTuple

from aiobotocore.session import AioSession
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.endpoint_provider import EndpointProvider
from botocore.utils import ensure_boolean

from poller.aws.chain import AwsSettings

SIGNING_NAMES = {"dynamodbstreams": "dynamodb", "stepfunctions": "states"}
"""Signing names that differ from the SDK's name of the service."""


HOST_PREFIXES = {"stepfunctions": "sync-"}
"""Prefix of the resolved host, for the only operation of the service that uses a transport."""


class Endpoint(NamedTuple):
    url: str
    region: str
    signing_name: str


def resolve_endpoint(session: AioSession, aws: AwsSettings, service: str, region: str) -> Endpoint:
    """Raises botocore's BotoCoreError for a region or profile that does not exist.

    `region` is where the resource is. A configured one wins only where an endpoint is configured as well: a local
    service may know a single region, but with AWS's own a resource is nowhere else.
    """
    url, own_region = aws.for_service(service)
    region = (own_region or region) if url else region
    return Endpoint(
        url or configured_endpoint(session, service) or _by_rules(session, service, region),
        region,
        SIGNING_NAMES.get(service, service),
    )


def configured_endpoint(session: AioSession, service: str) -> str | None:
    """The endpoint in AWS_ENDPOINT_URL, in its form per service, or in the profile."""
    if ensure_boolean(session.get_config_variable("ignore_configured_endpoint_urls")):
        return None
    provider = ConfiguredEndpointProvider(session.full_config, session.get_scoped_config(), service)
    url: str | None = provider.provide()
    return url


def _by_rules(session: AioSession, service: str, region: str) -> str:
    loader = session.get_component("data_loader")
    rules = EndpointProvider(loader.load_service_model(service, "endpoint-rule-set-1"), loader.load_data("partitions"))
    resolved = rules.resolve_endpoint(
        Region=region,
        UseFIPS=ensure_boolean(session.get_config_variable("use_fips_endpoint") or False),
        UseDualStack=ensure_boolean(session.get_config_variable("use_dualstack_endpoint") or False),
    )
    scheme, _, host = resolved.url.partition("://")
    return f"{scheme}://{HOST_PREFIXES.get(service, '')}{host}"
