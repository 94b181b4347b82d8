"""How AWS is reached: regions, endpoints, credentials, service by service."""

from collections.abc import Hashable, Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from poller.configuration.model.fields import Endpoint, FilledText, Written
from poller.configuration.reading.explain import similar
from poller.configuration.reading.tree import Node
from poller.destinations import kinds as destinations
from poller.sources import kinds as sources
from poller.state import kinds as stores


class ServiceSettings(Written):
    endpoint_url: Endpoint | None = Field(default=None, description="the endpoint of this service")
    region: FilledText | None = Field(default=None, description="the region of this service")


AWS_OVER = "how to reach AWS for this entry: the same keys as `aws` at the top, and each overrides the one there"

_SOURCES = tuple(kind.service for kind in sources.KINDS.values())
_DESTINATIONS = tuple(service for service in destinations.KINDS if service not in _SOURCES)
SERVICES = (*_SOURCES, "secretsmanager", "lambda", "stepfunctions", *_DESTINATIONS, *stores.SERVICES, "sts")
"""The services that are called, by the SDK's names."""
_MEANT = {
    "dynamodb-streams": "dynamodbstreams",
    "dynamodb_streams": "dynamodbstreams",
    "states": "stepfunctions",
    "step_functions": "stepfunctions",
    "sfn": "stepfunctions",
    "eventbridge": "events",
}
"""Other names of the services, from ARNs, permissions and other tools."""


def _service(name: str) -> str:
    """Raises ValueError for a service that is never called: its settings would be ignored."""
    if name in SERVICES:
        return name
    meant = _MEANT.get(name.lower()) or similar(name.lower(), SERVICES)
    hint = f"; did you mean {meant}?" if meant else ""
    raise ValueError(f"is no service that is called here, which are {', '.join(SERVICES)}{hint}")


class AwsSettings(Written):
    """How to reach AWS. The SDK's own chain decides the keys that are not set."""

    region: FilledText | None = Field(
        default=None,
        description=(
            "the region to call where an ARN names none; the ARN's region wins, unless an `endpoint_url` applies"
        ),
    )
    endpoint_url: Endpoint | None = Field(default=None, description="any AWS-compatible endpoint, for all services")
    profile: FilledText | None = Field(default=None, description="a profile of the SDK's shared configuration files")
    role_arn: FilledText | None = Field(
        default=None, description="a role to assume, with the credentials that the SDK's chain finds"
    )
    external_id: FilledText | None = Field(
        default=None, repr=False, description="the external ID that the role's trust policy requires"
    )
    services: dict[Annotated[str, AfterValidator(_service)], ServiceSettings] = Field(
        default_factory=dict,
        json_schema_extra={"propertyNames": {"enum": [*SERVICES]}},
        description=(
            "settings for one service, by its name in the SDK (`sqs`, `kinesis`, `dynamodbstreams`, "
            "`lambda`, `stepfunctions`, `sns`, `s3`, `sts`); they override the keys above"
        ),
    )
    transport: Literal["lean", "aiobotocore"] = Field(
        default="lean",
        description=(
            "signs and sends the calls of the data path: `lean` (poller's own client) or `aiobotocore` (the SDK)"
        ),
    )

    def for_service(self, name: str) -> tuple[str | None, str | None]:
        """`(endpoint_url, region)` of a service, as far as set."""
        own = self.services.get(name, ServiceSettings())
        return own.endpoint_url or self.endpoint_url, own.region or self.region

    def region_of(self, service: str, arn_region: str | None) -> str | None:
        """The region to call for something whose ARN names `arn_region`: the ARN's, and where an endpoint_url
        applies the configured one, since a local endpoint may know a single region.
        """
        endpoint_url, region = self.for_service(service)
        return (region or arn_region) if endpoint_url else (arn_region or region)

    def merged_over(self, base: "AwsSettings") -> "AwsSettings":
        """These settings over `base`, key by key; a service's keys one by one as well."""
        if not self.model_fields_set:
            return base
        merged = base.model_dump(exclude_unset=True)
        own = self.model_dump(exclude_unset=True)
        services = {name: dict(keys) for name, keys in merged.get("services", {}).items()}
        for name, keys in own.pop("services", {}).items():
            services.setdefault(name, {}).update(keys)
        return AwsSettings.model_validate({**merged, **own, **({"services": services} if services else {})})

    def key(self) -> Hashable:
        """Equal for equal settings, so that clients can be shared."""
        services = tuple(sorted((name, own.endpoint_url, own.region) for name, own in self.services.items()))
        return (
            self.region,
            self.endpoint_url,
            self.profile,
            self.role_arn,
            self.external_id,
            services,
            self.transport,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AwsSettings) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())


_STAND_INS: Mapping[str, str] = {"region": "refused", "endpoint_url": "http://refused"}
"""Stand-ins for refused values. Without them, entries that need the value would be reported as having none."""


def usable_aws(written: Node | None) -> AwsSettings:
    """The valid keys of refused settings, for checking the rest of the configuration; never for running."""
    if written is None or not isinstance(written.value, dict):
        return AwsSettings()
    usable: dict[str, Any] = {}
    for key, child in written.value.items():
        for value in (child.plain(), _STAND_INS.get(key)):
            if value is not None and not (child.broken and value == child.plain()):
                with suppress(ValidationError):
                    AwsSettings.model_validate({key: value})
                    usable[key] = value
                    break
    return AwsSettings.model_validate(usable)
