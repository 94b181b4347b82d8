"""No module imports itself by way of others."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from tests.import_rules import VERSION
from tests.package_source import SOURCES, module_of, tree_of


def test_no_modules_import_each_other_in_a_circle():
    """At import: what a function imports when it runs, and what only types need, closes no circle."""
    modules = {module_of(path): path for path in SOURCES}
    graph = {
        module: {name if name in modules else name.rpartition(".")[0] for name in imported_at_once(path)} & set(modules)
        for module, path in modules.items()
    }
    TopologicalSorter({module: others - {module} for module, others in graph.items()}).prepare()


def imported_at_once(path: Path) -> Iterator[str]:
    waiting: list[ast.AST] = list(tree_of(path).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (name for alias in node.names if (name := f"{node.module}.{alias.name}") != VERSION)
        elif isinstance(node, (ast.If, ast.Try, ast.With)) and "TYPE_CHECKING" not in ast.unparse(node):
            waiting += ast.iter_child_nodes(node)
