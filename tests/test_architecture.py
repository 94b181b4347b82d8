"""Who may import whom, how long things may get, and where errors may be swallowed. A breach names file and line.

Rules are tables; the longest matching name of a module decides. `IMPORTS` names what of `poller` a module may import: a
package stands for everything in it, and a module may always import its own package.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from poller.ports.status import ReasonCode

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "poller").rglob("*.py"))

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
    "poller.policy": {"poller.values.record"},
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
STANDARD_ONLY = ("poller.policy", "poller.values.record", "poller.values.errors", "poller.ports")
"""Import nothing but the standard library and `poller`."""
PURE_CALLS = {"datetime.now", "datetime.utcnow", "date.today", "datetime.today", "perf_counter", "monotonic", "urandom"}
"""Calls that ask a clock or chance, by the end of their dotted name; policy is told both."""

KINDS = ("poller/sources", "poller/destinations", "poller/state")
"""Packages with a folder and a row for each kind."""
BY_NAME = {
    "poller/aws/lean.py",  # the service that names its errors by the codes of its former protocol
    "poller/aws/transports.py",  # the services whose calls go through a transport
    "poller/aws/endpoints.py",  # the names that requests are signed for
    "poller/configuration/model/aws.py",  # the names that other tools give to services
    "poller/configuration/model/settings.py",  # the schemes of the URL of the state
    "poller/support/extras.py",  # the extras of the package
    "poller/policy/advice.py",  # what is in short supply
    "poller/ports/reasons.py",
    "poller/importers/serverless/importer.py",  # what the Serverless Framework calls its events
    "poller/demo/shop.py",  # the endpoints of the local AWS
    "poller/demo/function/count.py",  # a user's function, which looks into events
}
"""Files that name services, not kinds of source or destination, although the words are the same."""

LONGEST_FILE = 300
LONGEST_FUNCTION = 50
LONGER: dict[str, str] = {}
"""Files, or `file:function`, that may be longer, each with its reason: tables of data, not code."""

BROAD_EXCEPTS = {
    # around a partition: one mapping's problem never touches another's; and around a source's search for partitions, whose
    # problem would otherwise cancel those that run
    "poller/runtime/supervisor.py": 2,
    "poller/support/blocking.py": 1,  # swallows nothing: the caller of a blocking call gets its error, whatever it is
    # around calls of the SDK, in which providers, processes and parsers run that raise whatever they like: KeyError for a
    # credential endpoint without `Expiration`, RuntimeError for credentials that stay expired, its parsers' own classes for
    # a proxy's page. Each becomes a CallError, which every caller knows; nothing of ours runs inside.
    "poller/aws/sdk_errors.py": 1,
    # around one mapping's answers for status, metrics and health: a bug there hides none of the others
    "poller/daemon/api/isolation.py": 1,
    "poller/cli/main.py": 1,  # around the command line: what arrives there is a bug, and ends with 70
}
BROAD = {"Exception", "BaseException"}
UNFINISHED = ("TODO", "FIXME", "XXX", "HACK")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """Every imported name with its line, wherever in the file: `from a import b` gives `a.b`."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


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


def test_every_import_is_allowed():
    found = [breach for path in SOURCES for breach in breaches(path, imports_of(path))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "imported", "allowed"),
    [
        ("poller/policy/new.py", "poller.values.errors.PollerError", False),
        ("poller/policy/new.py", "asyncio", False),
        ("poller/policy/new.py", "random.random", False),
        ("poller/policy/new.py", "random.Random", True),
        ("poller/policy/new.py", "orjson", False),
        ("poller/policy/new.py", "poller.policy.response.Outcome", True),
        ("poller/runtime/new.py", "poller.sources.sqs.source", False),
        ("poller/runtime/new.py", "poller.configuration", False),
        ("poller/sources/sqs/new.py", "poller.ports.status.Account", True),
        ("poller/sources/sqs/new.py", "poller.runtime.lane", False),
        ("poller/sources/sqs/new.py", "poller.functions.http", False),
        ("poller/sources/sqs/new.py", "poller.sources.kinesis.api", False),
        ("poller/sources/kinesis/new.py", "poller.sources.sharded.reader", True),
        ("poller/sources/kinesis/new.py", "poller.configuration.model.mapping", False),
        ("poller/sources/kinesis/building.py", "poller.configuration.model.mapping", True),
        ("poller/sources/kinesis/building.py", "poller.engine.parts", False),
        ("poller/destinations/s3/new.py", "poller.destinations.sns", False),
        ("poller/aws/new.py", "poller.sources.sqs.source", False),
        ("poller/configuration/new.py", "poller.runtime.lane", False),
        ("poller/configuration/reading/new.py", "poller.configuration.model.settings", False),
        ("poller/engine/new.py", "poller.daemon.process_stop", False),
        ("poller/daemon/run.py", "poller.sources.sqs.source", True),
    ],
)
def test_the_rules_catch_what_they_should(module, imported, allowed):
    assert (not list(breaches(ROOT / module, [(imported, 1)]))) is allowed


def test_nothing_outside_a_kind_s_folder_asks_for_the_kind_by_name():
    """Not by a text, nor by an import: others ask the rows of the table. So a new kind is a folder and a line there."""
    folders = {module_of(path) for place in KINDS for path in (ROOT / place).glob("*/__init__.py")} - SHARED
    words = {folder.rpartition(".")[2] for folder in folders}
    found = []
    for path in SOURCES:
        module, name = module_of(path), str(path.relative_to(ROOT))
        if module in TABLES or any(within(module, folder) for folder in folders):
            continue
        allowed = {each for each in IMPORTS[rule_for(module)] if any(within(each, folder) for folder in folders)}
        if name not in BY_NAME:
            texts = (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Constant))
            found += [f"{name}:{node.lineno}: {node.value!r}" for node in texts if node.value in words]
        for imported, line in imports_of(path):
            if any(within(imported, one) for one in folders) and not any(within(imported, one) for one in allowed):
                found.append(f"{name}:{line}: {imported}")
    assert not found, "\n".join(found)


def exists(dotted: str) -> bool:
    """A module of ours, or a name in one."""
    place = ROOT.joinpath(*dotted.split("."))
    if place.with_suffix(".py").is_file() or place.is_dir():
        return True
    module, _, name = dotted.rpartition(".")
    holder = ROOT.joinpath(*module.split("."))
    file = holder / "__init__.py" if holder.is_dir() else holder.with_suffix(".py")
    defined = (node for node in ast.walk(tree_of(file)) if isinstance(node, (ast.Name, ast.ClassDef, ast.FunctionDef)))
    return any((node.id if isinstance(node, ast.Name) else node.name) == name for node in defined)


def test_every_name_in_the_tables_exists():
    """A rule about a module that is gone or was never there protects nothing."""
    names = {
        *IMPORTS,
        *SHARED,
        *TABLES,
        *FORBIDDEN,
        *STANDARD_ONLY,
        VERSION,
        *(name.removesuffix(".") for name in SEPARATE),
    }
    names |= set().union(*IMPORTS.values())
    files = {name.partition(":")[0] for name in (*LONGER, *BROAD_EXCEPTS)}
    assert sorted(name for name in names if not exists(name)) == []
    assert sorted(name for name in files if not (ROOT / name).is_file()) == []


SHOWING = ("poller.daemon.api", "poller.cli", "poller.demo", "poller.ports.reasons")
"""What says a reason's words, and never enters one."""


def test_every_reason_is_entered_somewhere():
    """As an argument, an assignment or a value of a table of answers; a comparison enters nothing."""
    entered: set[str] = set()
    for path in SOURCES:
        if any(within(module_of(path), name) for name in SHOWING):
            continue
        tree = tree_of(path)
        compared = {id(part) for node in ast.walk(tree) if isinstance(node, ast.Compare) for part in ast.walk(node)}
        for node in ast.walk(tree):
            if id(node) in compared:
                continue
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "ReasonCode":
                entered.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                entered |= {code.name for code in ReasonCode if code.value == node.value}
    assert sorted(code.name for code in ReasonCode if code.name not in entered) == []


def test_policy_asks_neither_clock_nor_chance():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node.func)}"
        for path in SOURCES
        if within(module_of(path), "poller.policy")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and any(_ends_with(ast.unparse(node.func), name) for name in PURE_CALLS)
    ]
    assert not found, "\n".join(found)


def test_policy_never_waits():
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        if within(module_of(path), "poller.policy")
        for node in ast.walk(tree_of(path))
        if isinstance(node, waiting)
    ]
    assert not found, "\n".join(found)


def test_no_file_and_no_function_is_too_long():
    found = []
    for path in SOURCES:
        name = str(path.relative_to(ROOT))
        lines = len(path.read_text().splitlines())
        if lines > LONGEST_FILE and name not in LONGER:
            found.append(f"{name}: {lines} lines")
        for node in ast.walk(tree_of(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > LONGEST_FUNCTION and f"{name}:{node.name}" not in LONGER:
                    found.append(f"{name}:{node.lineno}: {node.name} has {length} lines")
    assert not found, "\n".join(found)


def test_errors_are_swallowed_only_at_the_boundaries():
    found: dict[str, list[int]] = {}
    for path in SOURCES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node.type):
                found.setdefault(str(path.relative_to(ROOT)), []).append(node.lineno)
    beyond = {name: lines for name, lines in found.items() if len(lines) > BROAD_EXCEPTS.get(name, 0)}
    assert beyond == {}


def test_everything_printed_is_made_printable():
    """A terminal obeys what it is sent, so there is one place that prints: it escapes what others wrote."""
    printing = ("print", "echo", "secho", "stdout.write", "stderr.write")
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node.func)}"
        for path in SOURCES
        if path.name not in ("printable.py", "telemetry.py")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and any(_ends_with(ast.unparse(node.func), name) for name in printing)
        if "console" not in ast.unparse(node.func)
    ]
    assert not found, "\n".join(found)


def test_nothing_is_left_unfinished():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if any(f"{mark}:" in line or f"# {mark}" in line or f"{mark}(" in line for mark in UNFINISHED)
    ]
    assert not found, "\n".join(found)


def _is_broad(caught: ast.expr | None) -> bool:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(name is None or ast.unparse(name).rpartition(".")[2] in BROAD for name in names)


def _ends_with(dotted: str, name: str) -> bool:
    return dotted == name or dotted.endswith("." + name)
