"""The settings of failed events that are kept."""

from pydantic import Field

from poller.configuration.model.fields import Whole, Written
from poller.configuration.model.sizes import Size
from poller.values.kept import LARGEST_BODY

MIB = 1024 * 1024


class FailedEventsSettings(Written):
    keep: Whole = Field(
        default=0,
        ge=0,
        le=1000,
        description=(
            "how many of the latest events that functions failed of are kept in `state`, for `poller rerun`; 0 keeps "
            "none. They hold what the records hold: see `redact` of a mapping"
        ),
    )
    max_bytes: Size = Field(
        default=16 * MIB,
        ge=LARGEST_BODY,
        le=256 * MIB,
        description="most bytes of all that are kept, compressed; one alone takes at most 256 KiB, or is not kept",
    )
