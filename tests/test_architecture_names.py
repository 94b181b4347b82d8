"""Nothing asks for a type of function by its name outside the type's folder: what is to be known stands in its row."""

import ast
from collections.abc import Iterable, Iterator

import pytest

from poller.functions.types import FUNCTION_TYPES
from tests.package_source import ROOT, SOURCES, module_of, nodes_of, within

ASKED_BY_NAME = {
    # the scheme of a URL
    "poller/http/reply.py": {"http"},
    "poller/configuration/model/fields.py": {"http"},
    "poller/cli/client.py": {"http"},
    # what users write for a service of AWS, to be told its name
    "poller/configuration/model/aws.py": {"step_functions"},
    # the service that a request is signed for
    "poller/functions/web/grants.py": {"lambda"},
    # the services whose events a function may get from HTTP requests, and a member of such an event
    "poller/daemon/api/faces/payload_v2.py": {"http"},
    "poller/daemon/api/faces/service.py": {"function_url"},
    "poller/values/http_face.py": {"function_url"},
    # the extra of the package
    "poller/support/extras.py": {"runtime"},
}
"""Words that are names of function types, where they mean something else."""


def type_names(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, int]]:
    """Names of function types that a choice depends on: in comparisons, subscripts, match cases and keys of tables."""
    for node in nodes:
        match node:
            case ast.Compare():
                parts = [node.left, *node.comparators]
            case ast.Subscript():
                parts = [node.slice]
            case ast.MatchValue():
                parts = [node.value]
            case ast.Dict():
                parts = [key for key in node.keys if key is not None]
            case _:
                continue
        for part in parts:
            inner = part.elts if isinstance(part, (ast.Tuple, ast.List, ast.Set)) else [part]
            for each in inner:
                if isinstance(each, ast.Constant) and each.value in FUNCTION_TYPES:
                    yield str(each.value), each.lineno


def test_nothing_outside_its_folder_asks_for_a_function_type_by_name():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in SOURCES
        for name, line in type_names(nodes_of(path))
        if not within(module_of(path), FUNCTION_TYPES[name].builder.__module__)
        and name not in ASKED_BY_NAME.get(str(path.relative_to(ROOT)), ())
    ]
    assert not found, "ask the row in poller.functions.types instead:\n" + "\n".join(found)


def test_every_exception_for_a_type_name_is_needed():
    needed = {
        name: {found for found, _ in type_names(nodes_of(ROOT / name)) if found in words}
        for name, words in ASKED_BY_NAME.items()
    }
    assert needed == ASKED_BY_NAME


@pytest.mark.parametrize(
    "code",
    [
        'config.type == "lambda"',
        'config.type in ("http", "x")',
        'builders["runtime"]',
        'match kind:\n    case "step_functions": pass',
        '{"function_url": build}',
    ],
)
def test_the_search_for_type_names_finds_every_way_to_ask(code):
    assert len(list(type_names(ast.walk(ast.parse(code))))) == 1
