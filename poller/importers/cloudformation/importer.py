"""`poller import cloudformation` and `poller import sam`: the mappings of a template."""

from pathlib import Path
from typing import Any

from poller.configuration.reading.tree import Node
from poller.importers.cloudformation import events
from poller.importers.cloudformation.conditions import present
from poller.importers.cloudformation.intrinsics import Resolver
from poller.importers.cloudformation.resources import Resource
from poller.importers.cloudformation.tags import TemplateReader
from poller.importers.draft import (
    FUNCTION_URL,
    SERVICES,
    Draft,
    Findings,
    Remark,
    no_mapping,
    reasons_in,
    sketch_of,
    text_of,
)
from poller.importers.given import Given, tree_of

MAPPING = "AWS::Lambda::EventSourceMapping"
FUNCTION = "AWS::Serverless::Function"
PERMISSION = "AWS::Lambda::Permission"
URL = "AWS::Lambda::Url"
BY_ROLE = {"AWS::Pipes::Pipe": ("Target",), "AWS::Scheduler::Schedule": ("Target", "Arn")}
"""What invokes a function by a role, so that no permission names it; and where it names the function."""
NESTED = ("AWS::CloudFormation::Stack", "AWS::Serverless::Application")


def read(path: Path, given: Given) -> Findings:
    """Both forms may stand in one template. Raises ConfigurationError for a file that is no template."""
    root, problems = tree_of(path, TemplateReader)
    return of_template(root, given, problems)


def of_template(root: Node, given: Given, problems: list[str], below: str = "") -> Findings:
    """The mappings of a template; `below` is its address where it is a part of another file."""
    found = Findings(remarks=[Remark(*problem.split(": ", 1)) for problem in problems])
    resolver = Resolver(root, given)
    macros = root.get("Fn::Transform")
    if macros is not None:
        found.remarks.append(Remark(macros.place, "Fn::Transform: what the macro adds is not seen"))
    for name, resource in resolver.resources.items():
        title = f"{below}Resources.{name}"
        if name.startswith("Fn::"):
            found.remarks.append(Remark(resource.node.place, f"{title}: what it expands to is not seen"))
        elif resource.type in NESTED:
            text = f"{title}: a nested stack; import its template by itself"
            found.remarks.append(Remark(resource.node.place, text))
        elif resource.type == MAPPING:
            _take(resource, title, resolver, found)
        elif resource.type == FUNCTION:
            events.take(resource, root, resolver, found, title=title, run_here=given.run_here)
        else:
            _refuse_trigger(resource, title, resolver, found)
    return found


def _take(resource: Resource, title: str, resolver: Resolver, found: Findings) -> None:
    if not present(resource.node, resource.node.place, title, resolver.conditions, found):
        return
    parameters = resolver.value(resource.properties)
    if not isinstance(parameters, dict):
        found.refuse(resource.node.place, f"{title}: its properties are not known: {'; '.join(reasons_in(parameters))}")
        return
    draft = Draft(
        name=resource.logical_id,
        place=resource.node.place,
        title=title,
        parameters=parameters,
        places={key: child.place for key, child in resource.properties.value.items()},
        example_arn=_example(resource.properties, parameters),
    )
    found.drafts.append(draft)


def _refuse_trigger(resource: Resource, title: str, resolver: Resolver, found: Findings) -> None:
    """Whatever else lets something invoke a function is said."""
    why = _trigger(resource, resolver)
    if why is not None and present(resource.node, resource.node.place, title, resolver.conditions, found):
        found.refuse_once(resource.node.place, title, why, of=_function_named(resource, resolver))


def _trigger(resource: Resource, resolver: Resolver) -> str | None:
    if resource.type == URL:
        return FUNCTION_URL
    if resource.type == PERMISSION:
        # a service that may invoke a function is a trigger, whatever resource configures it
        principal = _sketch(resource, ("Principal",), resolver)
        return no_mapping(principal) if principal.endswith(SERVICES) else None
    path = BY_ROLE.get(resource.type)
    if path is None or ":function:" not in _sketch(resource, path, resolver):
        return None
    return no_mapping(resource.type)


def _function_named(resource: Resource, resolver: Resolver) -> str:
    """A stage of a method has a permission of its own for the same function, for instance."""
    return _sketch(resource, ("FunctionName",), resolver) if resource.type == PERMISSION else resource.logical_id


def _sketch(resource: Resource, path: tuple[str, ...], resolver: Resolver) -> str:
    """A text of the resource as far as it is known; empty for what is not there."""
    node: Node | None = resource.properties
    for step in path:
        node = node.get(step) if node is not None else None
    return "" if node is None else text_of(sketch_of(resolver.value(node)))


def _example(properties: Node, parameters: dict[str, Any]) -> str | None:
    """Streams have a starting position, queues none."""
    if "StartingPosition" not in parameters:
        return None
    written = properties.get("EventSourceArn")
    of_table = written is not None and "StreamArn" in str(written.plain())
    return events.EXAMPLES["DynamoDB" if of_table else "Kinesis"]
