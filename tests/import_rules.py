"""Which module may import which. Rules are tables; the longest matching name of a module decides.

`IMPORTS` names what of `poller` a module may import: a package stands for everything in it, and a module may always
import its own package.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.package_source import ROOT, module_of, within

VALUES = {"poller.values"}
SUPPORT = {"poller.support"}
ADAPTER = (
    VALUES
    | SUPPORT
    | {
        "poller.policy",
        "poller.ports",
        "poller.aws",
        "poller.http",
        "poller.runtime.reservation",
        "poller.runtime.stop",
    }
)
"""What sources, functions, destinations and state stores may know: never the runtime's rest, never each other."""
UNSTORED = {"poller.state.memory.store"}
"""The store of what is given none: engines of tests, and commands that run nothing."""
ENGINE = {
    f"poller.{name}" for name in ("aws", "configuration", "destinations", "functions", "http", "policy", "ports")
} | {f"poller.{name}" for name in ("runtime", "sources", "state", "support", "values")}
ENGINE |= UNSTORED
"""Everything but the process around it: neither the daemon nor the command line."""
OF_MAPPINGS = re.compile(r"poller\.(?:sources|destinations|state)\.[a-z0-9]+(?:\.(?:parameters|members|building))?")
"""The rows of kinds and what reads mappings for them; these modules may know `MAPPINGS`, the rest of a kind plain values."""
MAPPINGS = {"poller.configuration.model"}
EVERYTHING = {"poller"}
VERSION = "poller.__version__"
"""Anybody may say which version is running."""

ROWS = {"poller.functions.keys", "poller.functions.type", "poller.functions.types"}
"""The tables of kinds, which the configuration asks: imported without any adapter."""

IMPORTS: dict[str, set[str]] = {
    # values, and what decides by them
    "poller.values": set(),
    "poller.policy": {"poller.values.limits", "poller.values.record", "poller.values.texts"},
    "poller.ports": VALUES | {"poller.policy", "poller.runtime.reservation", "poller.runtime.stop"},
    # tools that know nothing of event source mappings
    "poller.support": {"poller.values.errors", "poller.policy"},
    # making it happen, without knowing where records come from or go
    "poller.runtime.reservation": {"poller.http.reserved_bytes"},
    "poller.runtime": VALUES | SUPPORT | {"poller.ports", "poller.policy"},
    # adapters
    "poller.sources": ADAPTER,
    "poller.functions": ADAPTER | {"poller.configuration"},
    "poller.destinations": ADAPTER,
    "poller.state": ADAPTER,
    # the data plane
    "poller.http": SUPPORT | {"poller.values.errors"},
    "poller.aws": SUPPORT | {"poller.values", "poller.http", "poller.policy"},
    # what users write
    "poller.configuration.reading": SUPPORT | VALUES,
    "poller.configuration": SUPPORT
    | VALUES
    | {
        "poller.policy",
        "poller.sources.kind",
        "poller.sources.kinds",
        "poller.destinations.kinds",
        "poller.state.kinds",
    }
    # the rows of the function types say which keys there are, and how they are read
    | ROWS
    # ranges and defaults, of keys that one kind takes
    | {"poller.sources.sqs.parameters", "poller.sources.sharded.parameters"},
    # only here does the runtime meet the adapters
    "poller.engine": ENGINE,
    # the process around the engine, and what it shows
    "poller.daemon.api": SUPPORT | VALUES | {"poller.configuration", "poller.policy", "poller.ports"},
    # the requests of SDKs, which sign
    "poller.daemon.api.lambda_api": SUPPORT
    | VALUES
    | {"poller.configuration", "poller.policy", "poller.ports", "poller.daemon.api", "poller.aws.verification"}
    # which source shows which parameter
    | {"poller.sources.kinds"},
    "poller.daemon.api.faces": SUPPORT
    | VALUES
    | {"poller.configuration", "poller.policy", "poller.ports", "poller.daemon.api"},
    # the parent of several workers: no more than its memory allows
    "poller.workers": {
        "poller.daemon.api.listening",
        "poller.policy.backoff",
        "poller.policy.failures_merged",
        "poller.support.printable",
        "poller.support.service_manager",
        "poller.values.errors",
    },
    "poller.daemon.file_limits": set(),
    "poller.daemon.signals": set(),
    "poller.daemon.process_stop": SUPPORT,
    "poller.daemon": EVERYTHING,
    "poller.importers": SUPPORT
    | VALUES
    | {"poller.configuration", "poller.sources.kinds", "poller.destinations.kinds", "poller.aws"},
    "poller.dev": EVERYTHING,
    "poller.cli": EVERYTHING | UNSTORED,
    "poller.demo": EVERYTHING,
    # for the tests of those who write functions
    "poller.testing": ENGINE | {"poller.engine"},
    "poller.__main__": {"poller.cli.main", "poller.daemon.process_stop", "poller.daemon.signals"},
    # the stores that programs may pass by themselves
    "poller": UNSTORED | {"poller.state.sqlite.store"},
}

SEPARATE = ("poller.sources.", "poller.destinations.", "poller.state.", "poller.functions.")
"""Packages whose members may not import each other: no source, destination, store or function type knows another."""
SHARED = {
    "poller.sources.sharded",  # what Kinesis and DynamoDB streams have in common
    "poller.sources.kind",  # the form of a row
    "poller.destinations.kind",
    "poller.state.kind",
    "poller.state.contents",  # what commands do with a shared store
    "poller.state.copying",  # from one store into another
    "poller.state.rows",  # how progress is written, whatever the store
    "poller.state.judging",  # what a shared store answers, whatever keeps its rows
    "poller.state.sole",  # one daemon on a shared store
    "poller.state.presence",  # which daemons use a shared store
    "poller.functions.type",
    "poller.functions.keys",  # the keys of every type, and limits that several have
    "poller.functions.arns",  # one rule for the ARN of a function, whatever its type
    "poller.functions.function_errors",  # Lambda's wording of failures, for functions that run here
    "poller.functions.invoke_answers",  # answers of AWS in front of a function: of the Invoke API and of function URLs
    "poller.functions.reachable",  # opening a connection: to an emulator, and to the origin of a URL
}
"""Members that the others may import."""
TABLES = {
    "poller.sources.kinds",
    "poller.destinations.kinds",
    "poller.state.kinds",
    "poller.functions.types",
    "poller.functions",
}
"""Members that import all others: the tables of rows, and what `poller.functions` exports."""

FORBIDDEN: dict[str, set[str]] = {
    "poller.policy": {"asyncio", "time", "random", "logging", "os", "socket", "threading", "subprocess", "pathlib"},
    "poller.values": {"asyncio"},
    "poller.ports": {"asyncio"},
    "poller.runtime": {"aiobotocore", "botocore", "aiohttp", "httptools"},
    "poller.sources": {"aiobotocore", "botocore", "aiohttp", "httptools"},
    "poller.functions": {"aiobotocore", "botocore", "aiohttp", "httptools"},
}
"""Modules from elsewhere that may not be imported."""
HARMLESS = {"random.Random", "socket.AF_INET", "socket.AF_INET6", "socket.inet_pton"}
"""Parts of them that may: the type of a generator passed in, and how an address is written."""
STANDARD_ONLY = (
    "poller.policy",
    "poller.values.limits",
    "poller.values.record",
    "poller.values.errors",
    "poller.ports",
)
"""Import nothing but the standard library and `poller`."""
PURE_CALLS = {"datetime.now", "datetime.utcnow", "date.today", "datetime.today", "perf_counter", "monotonic", "urandom"}
"""Calls that ask a clock or chance, by the end of their dotted name; policy is told both."""


def rule_for(module: str) -> str:
    """The longest name in `IMPORTS` that holds `module`; `poller` itself holds only its own `__init__`."""
    names = [name for name in IMPORTS if within(module, name) and (name != "poller" or module == "poller")]
    assert names, f"{module} has no rule: say in IMPORTS what it may know"
    return max(names, key=len)


def breaches(path: Path, imports: Iterable[tuple[str, int]]) -> Iterator[str]:
    """What `path` imports and may not, with the place."""
    module = module_of(path)
    allowed = IMPORTS[rule_for(module)] | {rule_for(module)} | (MAPPINGS if OF_MAPPINGS.fullmatch(module) else set())
    for imported, line in imports:
        where = f"{path.relative_to(ROOT)}:{line}: {module} may not import {imported}"
        if not within(imported, "poller"):
            if _is_foreign(module, imported):
                yield where
        elif imported != VERSION and not any(within(imported, name) for name in allowed):
            yield where
        elif _crosses(module, imported):
            yield f"{where}, its sibling"


def _is_foreign(module: str, imported: str) -> bool:
    root = imported.partition(".")[0]
    if root not in sys.stdlib_module_names and any(within(module, name) for name in STANDARD_ONLY):
        return True
    forbidden = set().union(*(roots for name, roots in FORBIDDEN.items() if within(module, name)))
    return root in forbidden and imported not in HARMLESS


def _crosses(module: str, imported: str) -> bool:
    """Whether both are in one of `SEPARATE`'s packages, but in different members of it."""
    if module in TABLES or any(within(imported, shared) for shared in SHARED):
        return False
    pairs = [(module.removeprefix(p), imported.removeprefix(p)) for p in SEPARATE if module.startswith(p)]
    return any(b != imported and a.partition(".")[0] != b.partition(".")[0] for a, b in pairs)
