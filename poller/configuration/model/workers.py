"""The number of worker processes, as it is written."""

import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from poller.configuration.model.fields import Also

MOST_WORKERS = 64
AUTO = "auto"
CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""The container's limit: microseconds of CPU time, and in how many; `max` for none."""


def cpus() -> int:
    """The CPUs that this process may use: those that it may run on, within its container's limit."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = CPU_LIMIT.read_text().split()
        if quota != "max":
            usable = min(usable, math.ceil(int(quota) / int(period)))
    return max(1, min(usable, MOST_WORKERS))


def _counted(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"must be a number from 1 to {MOST_WORKERS}, or {AUTO}")  # noqa: TRY004  (pydantic's)
    return cpus() if value == AUTO else value


Workers = Annotated[int, Field(ge=1, le=MOST_WORKERS), BeforeValidator(_counted), Also(type="string", enum=[AUTO])]
"""`auto` becomes the number of CPUs when it is read."""
