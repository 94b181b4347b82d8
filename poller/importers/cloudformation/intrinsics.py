"""Resolves the functions of a template, as far as its text and the given parameters tell."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from poller.configuration.reading.tree import Node
from poller.importers.cloudformation.conditions import Conditions
from poller.importers.cloudformation.resources import (
    ACCOUNT,
    PARTITION,
    REGION,
    Resource,
    attribute,
    resource_of,
)
from poller.importers.draft import UNKNOWN_ACCOUNT, UNKNOWN_REGION, Hole, has_hole, join, reasons_in, text_of
from poller.importers.given import Given
from poller.values.partitions import AWS, dns_suffix, partition_of

NO_VALUE = "AWS::NoValue"
_DYNAMIC = re.compile(r"\{\{resolve:[^}]+\}\}")
_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")
_MOST_NESTED = 100
"""Functions within functions; references in a circle end here."""
_MOST_VALUES = 100_000
"""Values of one template, those within values counted as often as they are needed."""


class Resolver:
    """The values of one template."""

    def __init__(self, root: Node, given: Given) -> None:
        self._root = root
        self._given = given
        self._depth = 0
        self._count = 0
        self.conditions = Conditions(root.get("Conditions"), self.value)
        resources = root.get("Resources")
        held = resources.value if resources is not None and isinstance(resources.value, dict) else {}
        self.resources: dict[str, Resource] = {name: resource_of(name, node) for name, node in held.items()}
        self._functions: Mapping[str, Callable[[Node], Any]] = {
            "Ref": lambda node: self.reference(text_of(node.value)),
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::FindInMap": self._find_in_map,
            "Fn::If": self._if,
            "Fn::Base64": lambda node: self._plain(node, lambda text: base64.b64encode(text.encode()).decode()),
            "Fn::ToJsonString": self._json,
            "Fn::Length": lambda node: self._listed(node, len),
        }

    def value(self, node: Node) -> Any:
        """The plain value, with holes; None for `AWS::NoValue`."""
        self._depth += 1
        self._count += 1
        try:
            if self._depth > _MOST_NESTED or self._count > _MOST_VALUES:
                return Hole.of("", "functions refer to each other in a circle, or too often")
            return self._value(node)
        finally:
            self._depth -= 1

    def _value(self, node: Node) -> Any:
        if isinstance(node.value, list):
            return [value for child in node.value if (value := self.value(child)) is not None]
        if isinstance(node.value, dict):
            if len(node.value) == 1:
                [(name, inside)] = node.value.items()
                if name in self._functions:
                    return self._functions[name](inside)
                if name.startswith("Fn::"):
                    return Hole.of("", f"{name} {_shown(inside)} is resolved by CloudFormation only")
            return {key: value for key, child in node.value.items() if (value := self.value(child)) is not None}
        if isinstance(node.value, str) and (dynamic := _DYNAMIC.search(node.value)):
            return Hole.of("", f"{dynamic[0]} is resolved by CloudFormation only")
        return node.value if node.as_written is None or isinstance(node.value, bool) else node.as_written

    def reference(self, name: str) -> Any:
        """What `Ref` gives: a parameter, a pseudo parameter or a resource."""
        if name.startswith("AWS::"):
            return None if name == NO_VALUE else self.pseudo(name)
        if name in self.resources:
            return attribute(self.resources[name], None, self.value, self.pseudo)
        owner, _, generated = name.partition(".")
        if generated in ("Alias", "Version") and owner in self.resources:
            return self._generated(self.resources[owner], generated)
        parameters = self._root.get("Parameters")
        declared = parameters.get(name) if parameters is not None else None
        if declared is None:
            return Hole.of(name, f"{name} is neither a parameter nor a resource of the template")
        return self._parameter(name, declared)

    def _parameter(self, name: str, declared: Node) -> Any:
        default, kind = declared.get("Default"), declared.get("Type")
        typed = text_of(kind.value) if kind is not None else ""
        if name in self._given.parameters:
            value: Any = self._given.parameters[name]
        elif typed.startswith("AWS::SSM::Parameter::") or default is None:
            where = "in the parameter store" if default is not None else "without a default; give it with --parameter"
            return Hole.of(name, f"the parameter {name} is {where}")
        else:
            value = self.value(default)
        listed = typed == "CommaDelimitedList" or typed.startswith("List<")
        return [each.strip() for each in text_of(value).split(",")] if listed else value

    def pseudo(self, name: str) -> Any:
        """The value of `AWS::Region` and the like."""
        region = self._given.region
        known = {
            REGION: region or Hole.of(UNKNOWN_REGION, "the region: give it with --region"),
            ACCOUNT: self._given.account or Hole.of(UNKNOWN_ACCOUNT, "the account: give it with --account"),
            PARTITION: partition_of(region) if region else AWS,
            "AWS::URLSuffix": dns_suffix(partition_of(region) if region else AWS),
            "AWS::StackName": self._given.stack or Hole.of("STACK", "the stack's name: give it with --stack"),
        }
        return known.get(name, Hole.of("", f"{name} is known once the stack is deployed"))

    def _generated(self, owner: Resource, name: str) -> Any:
        """An alias or a version that SAM makes of a function."""
        function = attribute(owner, None, self.value, self.pseudo)
        if name == "Version":
            return join([function, ":", Hole.of("1", f"the number of the version {owner.logical_id}.Version")])
        alias = owner.properties.get("AutoPublishAlias")
        return join([function, *([":", self.value(alias)] if alias is not None else [])])

    def _get_att(self, node: Node) -> Any:
        parts = node.value.split(".", 1) if isinstance(node.value, str) else self.value(node)
        if not isinstance(parts, list) or len(parts) != 2 or has_hole(parts):
            return Hole.of("", f"Fn::GetAtt {_shown(node)} names no attribute")
        return self._attribute(*map(text_of, parts))

    def _attribute(self, name: str, of: str) -> Any:
        if name not in self.resources:
            return Hole.of(name, f"{name}.{of}: the template has no resource {name}")
        return attribute(self.resources[name], of, self.value, self.pseudo)

    def _sub(self, node: Node) -> Any:
        own: dict[str, Any] = {}
        text: Any = node.value
        if isinstance(text, list):
            if len(text) != 2 or not isinstance(text[1].value, dict):
                return Hole.of("", f"Fn::Sub {_shown(node)} is not a text with its variables")
            own = {key: self.value(child) for key, child in text[1].value.items()}
            text = text[0].value
        if not isinstance(text, str):
            return Hole.of("", f"Fn::Sub {_shown(node)} holds no text")
        parts: list[Any] = []
        end = 0
        for found in _VARIABLE.finditer(text):
            parts += [text[end : found.start()], self._variable(found, own)]
            end = found.end()
        return join([*parts, text[end:]])

    def _variable(self, found: re.Match[str], own: dict[str, Any]) -> Any:
        name = found[2].strip()
        if found[1]:
            return f"${{{found[2]}}}"
        if name in own:
            return own[name]
        resource, dot, of = name.partition(".")
        if dot and (resource in self.resources and of not in ("Alias", "Version")):
            return self._attribute(resource, of)
        return self.reference(name)

    def _join(self, node: Node) -> Any:
        given = self.value(node)
        if not isinstance(given, list) or len(given) != 2 or not isinstance(given[0], str):
            return Hole.of("", f"Fn::Join {_shown(node)} is not a separator and a list")
        separator, parts = given
        if isinstance(parts, Hole):
            return parts
        between: list[Any] = [each for part in parts for each in (separator, part)]
        return join(between[1:])

    def _select(self, node: Node) -> Any:
        given = self.value(node)
        if isinstance(given, list) and len(given) == 2 and isinstance(given[1], list):
            index = text_of(given[0])
            if index.isdecimal() and int(index) < len(given[1]):
                return given[1][int(index)]
        return Hole("", reasons_in(given) or (f"Fn::Select {_shown(node)} selects nothing",))

    def _split(self, node: Node) -> Any:
        given = self.value(node)
        if isinstance(given, list) and len(given) == 2 and isinstance(given[0], str) and given[0]:
            separator, text = given
            if isinstance(text, Hole):
                return [Hole(part, text.reasons) for part in text.sketch.split(separator)]
            return text_of(text).split(separator)
        return Hole("", reasons_in(given) or (f"Fn::Split {_shown(node)} is not a separator and a text",))

    def _find_in_map(self, node: Node) -> Any:
        keys = self.value(node)
        if not isinstance(keys, list) or len(keys) < 3 or has_hole(keys[:3]):
            return Hole("", reasons_in(keys) or (f"Fn::FindInMap {_shown(node)} needs three keys",))
        found = self._root.get("Mappings")
        for key in keys[:3]:
            found = None if found is None else found.get(text_of(key))
        if found is not None:
            return self.value(found)
        if len(keys) > 3 and isinstance(keys[3], dict) and "DefaultValue" in keys[3]:
            return keys[3]["DefaultValue"]
        return Hole.of("", f"Fn::FindInMap finds nothing at {'.'.join(map(text_of, keys[:3]))}")

    def _if(self, node: Node) -> Any:
        if not isinstance(node.value, list) or len(node.value) != 3:
            return Hole.of("", f"Fn::If {_shown(node)} is not a condition with two values")
        name, then, otherwise = node.value
        holds = self.conditions.holds(text_of(name.value))
        return holds if isinstance(holds, Hole) else self.value(then if holds else otherwise)

    def _plain(self, node: Node, work: Callable[[str], Any]) -> Any:
        given = self.value(node)
        return Hole(given.sketch, given.reasons) if isinstance(given, Hole) else work(text_of(given))

    def _json(self, node: Node) -> Any:
        given = self.value(node)
        return Hole("", reasons_in(given)) if has_hole(given) else json.dumps(given)

    def _listed(self, node: Node, work: Callable[[list[Any]], Any]) -> Any:
        given = self.value(node)
        return work(given) if isinstance(given, list) else Hole("", reasons_in(given) or ("Fn::Length of no list",))


def _shown(node: Node) -> str:
    text = json.dumps(node.plain(), default=str)
    return text if len(text) <= 80 else f"{text[:80]}…"
