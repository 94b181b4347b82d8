"""`poller iam-policy`: the least policy for a configuration, as JSON."""

import json
import sys

from poller.commands.permissions import policies, remarks
from poller.configuration import Configuration
from poller.errors import ConfigurationError


def show(configuration: Configuration, principal: str | None) -> None:
    """Print one policy document; where several principals are at work and none was named, an object of them all."""
    found = policies(configuration)
    for remark in remarks(configuration):
        print(remark, file=sys.stderr)  # noqa: T201  (the command's answer)
    if principal is not None:
        if principal not in found:
            raise ConfigurationError([f"--for {principal}: nobody of that name is needed; {_named(list(found))}"])
        print(_text(found[principal]))  # noqa: T201
    elif len(found) == 1:
        print(_text(next(iter(found.values()))))  # noqa: T201
    else:
        print(_text(found))  # noqa: T201
        if found:
            hint = f"one policy for each: {', '.join(found)}; take one alone with --for NAME"
            print(hint, file=sys.stderr)  # noqa: T201


def _named(principals: list[str]) -> str:
    return f"it can be {', '.join(principals)}" if principals else "the configuration has no mappings"


def _text(document: object) -> str:
    return json.dumps(document, indent=2)
