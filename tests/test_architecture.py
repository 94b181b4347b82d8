"""Who may import whom, how long things may get, and where errors may be swallowed. A breach names file and line."""

import ast

import pytest

from poller.ports.status import ReasonCode
from tests.import_rules import (
    FORBIDDEN,
    IMPORTS,
    PURE_CALLS,
    SEPARATE,
    SHARED,
    STANDARD_ONLY,
    TABLES,
    VERSION,
    breaches,
    rule_for,
)
from tests.package_source import ROOT, SOURCES, TESTS, exists, imports_of, module_of, nodes_of, within

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
LONGEST_TEST_FILE = 400
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
    # around one answer of the parent of several workers: a bug there must not keep the client waiting
    "poller/workers/exchange.py": 1,
    "poller/cli/main.py": 1,  # around the command line: what arrives there is a bug, and ends with 70
}
BROAD = {"Exception", "BaseException"}
UNFINISHED = ("TODO", "FIXME", "XXX", "HACK")


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
            texts = (node for node in nodes_of(path) if isinstance(node, ast.Constant))
            found += [f"{name}:{node.lineno}: {node.value!r}" for node in texts if node.value in words]
        for imported, line in imports_of(path):
            if any(within(imported, one) for one in folders) and not any(within(imported, one) for one in allowed):
                found.append(f"{name}:{line}: {imported}")
    assert not found, "\n".join(found)


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
        nodes = nodes_of(path)
        compared = {id(part) for node in nodes if isinstance(node, ast.Compare) for part in ast.walk(node)}
        for node in nodes:
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
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and any(_ends_with(ast.unparse(node.func), name) for name in PURE_CALLS)
    ]
    assert not found, "\n".join(found)


def test_policy_never_waits():
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        if within(module_of(path), "poller.policy")
        for node in nodes_of(path)
        if isinstance(node, waiting)
    ]
    assert not found, "\n".join(found)


def test_no_file_of_tests_is_too_long():
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in TESTS}
    assert {name: count for name, count in lines.items() if count > LONGEST_TEST_FILE} == {}


def test_no_file_and_no_function_is_too_long():
    found = []
    for path in SOURCES:
        name = str(path.relative_to(ROOT))
        lines = len(path.read_text().splitlines())
        if lines > LONGEST_FILE and name not in LONGER:
            found.append(f"{name}: {lines} lines")
        for node in nodes_of(path):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > LONGEST_FUNCTION and f"{name}:{node.name}" not in LONGER:
                    found.append(f"{name}:{node.lineno}: {node.name} has {length} lines")
    assert not found, "\n".join(found)


def test_errors_are_swallowed_only_at_the_boundaries():
    found: dict[str, list[int]] = {}
    for path in SOURCES:
        for node in nodes_of(path):
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
        for node in nodes_of(path)
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
