"""TLS is always verified: no key, no variable and no line of the code turns it off."""

import ast
import re
from pathlib import Path

from pydantic import BaseModel

from poller.configuration.model.mapping_keys import WrittenMapping
from poller.configuration.model.settings import Settings
from poller.functions.types import MODELS

ROOT = Path(__file__).parents[2]
TELLING = re.compile(r"verif|insecure|skip|trust|disable|unsafe|check_hostname|no_tls|plaintext")
UNVERIFIED = {"CERT_NONE", "CERT_OPTIONAL", "_create_unverified_context", "_create_stdlib_context"}


def keys(model, path=""):
    for name, field in model.model_fields.items():
        yield f"{path}{name}"
        for found in models_in(field.annotation):
            yield from keys(found, f"{path}{name}.")


def models_in(annotation):
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from models_in(inner)


def test_no_key_of_the_configuration_turns_verification_off():
    known = [key for model in (Settings, WrittenMapping, *MODELS.values()) for key in keys(model)]
    assert "aws.services.endpoint_url" in known
    assert [key for key in known if TELLING.search(key)] == []


def turned_off(node):
    """Whether a node of the code sets up TLS that believes anybody."""
    if isinstance(node, (ast.Attribute, ast.Name)):
        return getattr(node, "attr", getattr(node, "id", "")) in UNVERIFIED
    if isinstance(node, ast.keyword) and node.arg in ("verify", "ssl", "verify_ssl", "check_hostname"):
        return isinstance(node.value, ast.Constant) and node.value.value is False
    if isinstance(node, ast.Assign):
        targets = {target.attr for target in node.targets if isinstance(target, ast.Attribute)}
        return bool(targets & {"check_hostname", "verify_mode"})
    return False


def test_no_line_of_the_code_turns_verification_off():
    found = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', '?')}"
        for path in sorted((ROOT / "poller").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if turned_off(node)
    ]
    assert found == []
