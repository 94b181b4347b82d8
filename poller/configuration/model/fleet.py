"""The settings of a daemon that is one of several."""

import socket

from pydantic import Field

from poller.configuration.model.fields import NAME_MOST, FilledText, Name, Seconds, Written, shown_default


def _host_name() -> str:
    return socket.gethostname()[:NAME_MOST] or "poller"


class FleetSettings(Written):
    name: Name = Field(default="poller", description="the fleet; daemons of one name on one store share their streams")
    member: FilledText = Field(
        default_factory=_host_name,
        max_length=NAME_MOST,
        description="what this daemon is called for people; two may have one name",
        json_schema_extra=shown_default("the name of the host"),
    )
    lease_seconds: Seconds = Field(
        default=15,
        ge=5,
        le=300,
        description="seconds after which the others take over from a daemon that does not answer",
    )
    checkpoint_interval_seconds: Seconds | None = Field(
        default=None,
        ge=0,
        le=60,
        description=(
            "seconds between two writes of a shard's position; retry states, windows and the end are written at once"
        ),
        json_schema_extra=shown_default("1 in DynamoDB, where each write has a price; else 0, after each batch"),
    )
    rebalance_delay_seconds: Seconds = Field(
        default=30,
        ge=0,
        le=3600,
        description=(
            "seconds without a daemon that comes or goes, after which shards move to those that have fewer; "
            "longer than between two restarts of a rolling deployment"
        ),
    )
