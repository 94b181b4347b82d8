"""Functions that run unmodified beside the daemon: Lambda's Runtime API, served here.

`RuntimeFunction` starts the function's processes and keeps them; `SharedRuntimeFunction` serves runtimes that somebody
else starts, such as a container in the same pod.
"""

from poller.functions.runtime_api.guarding import Guard
from poller.functions.runtime_api.pool import RuntimeFunction
from poller.functions.runtime_api.settings import RuntimeSettings
from poller.functions.runtime_api.shared import SharedRuntimeFunction

__all__ = ["Guard", "RuntimeFunction", "RuntimeSettings", "SharedRuntimeFunction"]
