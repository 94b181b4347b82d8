"""What a compiled module may hold: mypyc compiles more than it compiles right."""

import ast

import pytest

from tests.compiled.modules import ROOT, compiled_modules

pytestmark = pytest.mark.heavy

NATIVE = {"Protocol", "Generic", "NamedTuple", "Enum", "StrEnum", "IntEnum", "Exception", "ValueError"}
"""Bases that mypyc knows the layout of, or leaves the class to the interpreter for."""


def classes(path: str) -> list[ast.ClassDef]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def waits(statements: list[ast.stmt]) -> list[ast.AST]:
    """Where they give way to others."""
    kinds = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom)
    return [node for statement in statements for node in ast.walk(statement) if isinstance(node, kinds)]


def base_name(base: ast.expr) -> str:
    return ast.unparse(base).partition("[")[0]


def test_the_list_is_sorted_and_names_files_that_exist():
    modules = compiled_modules()
    assert modules == sorted(set(modules))
    assert [module for module in modules if not (ROOT / module).is_file()] == []
    # it tells whether the package is compiled
    assert "poller/support/codec.py" in modules


@pytest.mark.parametrize("path", compiled_modules())
def test_no_class_extends_a_type_written_in_c(path: str):
    """Its memory is laid out by someone else: a future's subclass with one more attribute crashed the process."""
    local = {node.name for module in compiled_modules() for node in classes(module)}
    foreign = {
        f"{node.name}({base_name(base)})"
        for node in classes(path)
        for base in node.bases
        if base_name(base) not in NATIVE | local
    }
    assert foreign <= ALLOWED.get(path, set())


@pytest.mark.parametrize("path", compiled_modules())
def test_nothing_is_awaited_while_an_error_is_handled(path: str):
    """Meanwhile whatever else runs would have that error as its context: chains of errors grew without end, until a
    cancellation took minutes.
    """
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    tries = [node for node in ast.walk(tree) if isinstance(node, ast.Try | ast.TryStar)]
    handling = [body for node in tries for body in (*[one.body for one in node.handlers], node.finalbody)]
    assert [f"{path}:{node.lineno}" for body in handling for node in waits(body)] == []  # type: ignore[attr-defined]


ALLOWED = {
    # classes written in Python, which add no fields of their own
    "poller/http/connection.py": {"Connection(asyncio.Protocol)"},
    "poller/http/reply.py": {"Headers(Mapping)"},
}
