"""Reads a template's YAML: `!Sub text` becomes `Fn::Sub: text`, and keys may be numbers."""

import copy

import yaml

from poller.configuration.reading.documents import CLOUDFORMATION_TAG, DocumentReader
from poller.configuration.reading.tree import Node

_CORE = {yaml.ScalarNode: "str", yaml.SequenceNode: "seq", yaml.MappingNode: "map"}
_MERGE = "tag:yaml.org,2002:merge"
_SHORT = ("Ref", "Condition")
"""Functions whose long form has no prefix."""


class TemplateReader(DocumentReader):
    """Builds the tree of a template."""

    def tagged(self, node: yaml.Node, path: str, key: str, line: int) -> Node:
        """A function in its long form."""
        if not CLOUDFORMATION_TAG.fullmatch(node.tag):
            return super().tagged(node, path, key, line)
        name = node.tag.removeprefix("!")
        long = name if name in _SHORT else f"Fn::{name}"
        inner = copy.copy(node)
        inner.tag = f"tag:yaml.org,2002:{_CORE[type(node)]}"
        return Node({long: self.build(inner, path, long, line)}, self.origin, line, key)

    def mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Node]:
        """Every key is text: account ids in `Mappings`, and names such as `Off`."""
        for name, _ in node.value:
            if isinstance(name, yaml.ScalarNode) and name.tag != _MERGE:
                name.tag = "tag:yaml.org,2002:str"
        return super().mapping(node, path)
