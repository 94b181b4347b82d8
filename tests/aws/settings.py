"""AWS settings as the adapters see them, without the configuration that usually makes them."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Settings:
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    endpoint_url: str | None = None
    endpoints: dict[str, str] = field(default_factory=dict)
    regions: dict[str, str] = field(default_factory=dict)

    def for_service(self, name: str) -> tuple[str | None, str | None]:
        return self.endpoints.get(name, self.endpoint_url), self.regions.get(name)
