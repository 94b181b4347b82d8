"""The functions that batches are delivered to: one folder for each type.

The configuration is imported first, because its loader asks the table of types, whose rows use its models. Begun from
here, that import finds every module complete.
"""

import poller.configuration  # noqa: F401
from poller.functions.callable import Callable

__all__ = ["Callable"]
