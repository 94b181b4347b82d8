"""`poller schema`: the JSON Schema of the configuration, as the package ships it."""

import json
from pathlib import Path

from poller.configuration import schema_text
from poller.support.printable import say_json
from poller.values.errors import EnvironmentProblem


def show(output: Path | None) -> None:
    """Print the schema, or write it to a file."""
    if output is None:
        say_json(json.loads(schema_text()), indent=1)
        return
    try:
        output.write_text(schema_text(), encoding="utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise EnvironmentProblem(f"{output} cannot be written ({reason}); name another file with --output") from error
