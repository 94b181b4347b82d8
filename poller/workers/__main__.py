"""Run the parent: `python -m poller.workers SPEC`, which `poller run` becomes."""

import sys
from typing import NoReturn

from poller.support.printable import say
from poller.values.errors import EnvironmentProblem
from poller.workers.face import serving
from poller.workers.log import Log
from poller.workers.parent import Parent
from poller.workers.spec import ParentSpec

ENVIRONMENT = 69


def main() -> NoReturn:
    """Run until every worker has ended."""
    spec = ParentSpec.read(sys.argv[1])
    log = Log(spec.log)
    parent = Parent(spec, log)
    try:
        with serving(spec.listen, parent) as address:
            log("info", "api_listening", address=address)
            code = parent.run()
    except (EnvironmentProblem, OSError) as error:
        say(f"poller: {error}", error=True)
        code = ENVIRONMENT
    sys.exit(code)


if __name__ == "__main__":
    main()
