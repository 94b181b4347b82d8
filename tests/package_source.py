"""The package's source as the tests of its architecture read it: its modules, their trees and what they import."""

import ast
import gc
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "poller").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def tree_of(path: Path) -> ast.Module:
    return _trees().get(path) or ast.parse(path.read_text(), str(path))


@cache
def _trees() -> dict[Path, ast.Module]:
    """Of the whole package: a million objects, which the garbage collector would look through until the end."""
    gc.disable()
    try:
        return {path: ast.parse(path.read_text(), str(path)) for path in SOURCES}
    finally:
        gc.freeze()
        gc.enable()


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """All of its tree; many tests look through the whole package, and walking it takes longest."""
    return tuple(ast.walk(tree_of(path)))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """Every imported name with its line, wherever in the file: `from a import b` gives `a.b`."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def exists(dotted: str) -> bool:
    """A module of ours, or a name in one."""
    place = ROOT.joinpath(*dotted.split("."))
    if place.with_suffix(".py").is_file() or place.is_dir():
        return True
    module, _, name = dotted.rpartition(".")
    holder = ROOT.joinpath(*module.split("."))
    file = holder / "__init__.py" if holder.is_dir() else holder.with_suffix(".py")
    defined = (node for node in nodes_of(file) if isinstance(node, (ast.Name, ast.ClassDef, ast.FunctionDef)))
    return any((node.id if isinstance(node, ast.Name) else node.name) == name for node in defined)
