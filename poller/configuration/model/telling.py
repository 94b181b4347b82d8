"""The settings of the log and of traces."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from poller.configuration.model.fields import Also, Written
from poller.support.extras import how_to_install, is_installed


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


_UPPER_LEVELS = Also(enum=["DEBUG", "INFO", "WARNING", "ERROR"])


class LogSettings(Written):
    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower), _UPPER_LEVELS] = Field(
        default="info", description="the lowest level that is logged"
    )
    format: Annotated[Literal["json", "console"], BeforeValidator(_lower)] = Field(
        default="json", description="JSON lines, or text for people"
    )


class TelemetrySettings(Written):
    traces: Annotated[Literal["none", "otlp"], BeforeValidator(_lower)] = Field(
        default="none",
        description=(
            "`otlp` exports OpenTelemetry traces to where the standard `OTEL_EXPORTER_OTLP_*` "
            "variables say; needs the extra `otel`"
        ),
    )

    @field_validator("traces")
    @classmethod
    def _traces(cls, value: str) -> str:
        if value == "otlp" and not is_installed("otel"):
            raise ValueError(f"is otlp, which needs OpenTelemetry: {how_to_install('otel')}")
        return value
