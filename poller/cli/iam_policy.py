"""`poller iam-policy`: prints the least policy that a configuration needs, as JSON."""

from poller.cli.permissions import policies, remarks
from poller.configuration import Configuration
from poller.support.printable import say, say_json
from poller.values.errors import ConfigurationError


def show(configuration: Configuration, principal: str | None, *, by_hand: bool) -> None:
    """Print one policy document, or an object of all of them where several are needed and none was named. `by_hand` as
    of `policies`.
    """
    found = policies(configuration, by_hand=by_hand)
    for remark in remarks(configuration, by_hand=by_hand):
        say(remark, error=True)
    if principal is not None:
        if principal not in found:
            raise ConfigurationError([f"--for {principal}: nobody of that name is needed; {_named(list(found))}"])
        say_json(found[principal])
    elif len(found) == 1:
        say_json(next(iter(found.values())))
    else:
        say_json(found)
        if found:
            hint = f"one policy for each: {', '.join(found)}; take one alone with --for NAME"
            say(hint, error=True)


def _named(principals: list[str]) -> str:
    return f"it can be {', '.join(principals)}" if principals else "the configuration has no mappings"
