"""The table of function types. A new type is one folder and one line here."""

from collections.abc import Mapping

from poller.functions.callable import CALLABLE
from poller.functions.keys import WrittenFunction
from poller.functions.lambda_api import LAMBDA
from poller.functions.runtime_api import RUNTIME
from poller.functions.step_functions import STEP_FUNCTIONS
from poller.functions.type import FunctionType
from poller.functions.web import FUNCTION_URL, HTTP

FUNCTION_TYPES: Mapping[str, FunctionType] = {
    row.name: row for row in (LAMBDA, FUNCTION_URL, HTTP, RUNTIME, STEP_FUNCTIONS, CALLABLE)
}
"""The types by name."""
MODELS: Mapping[str, type[WrittenFunction]] = {row.name: row.keys.model for row in FUNCTION_TYPES.values() if row.keys}
"""The keys of each type that files can configure."""
IMPLIED = LAMBDA
"""The type of a function that a mapping names without an entry in `functions`."""


def types_with(key: str) -> list[str]:
    """The names of the types that have a key."""
    return [name for name, model in MODELS.items() if key in model.model_fields]
