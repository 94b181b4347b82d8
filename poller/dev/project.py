"""What `poller init` and `poller new function` write."""

import re
from collections.abc import Mapping
from pathlib import Path

from poller.sources.kind import Development
from poller.sources.kinds import KINDS, parse_source
from poller.values.errors import ConfigurationError, EnvironmentProblem

CONFIGURATION = """\
# Try it here, with a local AWS and without an account:  poller dev
# Every key:  poller schema, and config/README.md of the project
aws: {{region: us-east-1}}

functions:
  {function}:
    type: runtime                      # Lambda's own code, run here; also lambda, http, function_url, step_functions
    handler: app.handler
    code: ./functions/{function}
    timeout_seconds: 30
    # reload_on_change: true           # `poller dev` reloads the code in any case

event_source_mappings:
  - name: {name}
    event_source_arn: {arn}
    function_name: {function}
{parameters}"""
HANDLER = '''\
"""The handler of {function}: it gets the events that Lambda would deliver."""

import json


def handler(event, context):
    """Handle one batch. What it names in batchItemFailures is delivered again; the rest is done."""
    failures = []
    for record in event["Records"]:
        try:
            handle(record)
        except Exception as error:
            print(f"{{type(error).__name__}}: {{error}}")
            failures.append({{"itemIdentifier": {identifier}}})
    return {{"batchItemFailures": failures}}


def handle(record):
    print(json.dumps(record)[:200])
'''
TEST = '''\
"""Run with: pytest functions/{function}"""

import json
from pathlib import Path

import app

EVENT = json.loads(Path(__file__).with_name("event.json").read_text())


def test_a_batch_is_handled_whole():
    assert app.handler(EVENT, None) == {{"batchItemFailures": []}}
'''
OF_QUEUES = """\
    batch_size: 10
    function_response_types: [ReportBatchItemFailures]
"""
OF_STREAMS = """\
    starting_position: TRIM_HORIZON    # where a new mapping begins; later it goes on where it was
    batch_size: 100
    maximum_retry_attempts: 5
    function_response_types: [ReportBatchItemFailures]
"""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


def development_of(kind: str) -> Development:
    """Raises ConfigurationError for a kind that has none."""
    known = [name for name, row in KINDS.items() if row.development is not None]
    row = KINDS.get(kind)
    if row is None or row.development is None:
        raise ConfigurationError([f"{kind!r} is not one of {', '.join(known)}"])
    return row.development()


def event_of(kind: str, count: int) -> bytes:
    """A sample event with that many records."""
    made = development_of(kind)
    source = parse_source(made.example)
    return made.event(source, [f'{{"order": {number}}}' for number in range(1, count + 1)])


def project(kind: str, name: str, function: str) -> dict[str, str]:
    """The files of a new project, by path."""
    _check_names(name, function)
    row = KINDS[kind]
    arn = development_of(kind).example
    for word in ("orders", "clicks", "stock"):
        arn = arn.replace(f":{word}", f":{name}").replace(f"/{word}", f"/{name}")
    parameters = OF_STREAMS if "starting_position" in row.takes else OF_QUEUES
    text = CONFIGURATION.format(function=function, name=name, arn=arn, parameters=parameters)
    return {"poller.yaml": text, **function_files(kind, function)}


def function_files(kind: str, function: str) -> dict[str, str]:
    """The files of a new function for events of one kind of source, by path."""
    _check_names(function)
    folder = f"functions/{function}"
    return {
        f"{folder}/app.py": HANDLER.format(function=function, identifier=development_of(kind).named_by),
        f"{folder}/test_app.py": TEST.format(function=function),
        f"{folder}/event.json": event_of(kind, 2).decode() + "\n",
    }


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write all of them or none. Raises EnvironmentProblem where one exists or cannot be written."""
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise EnvironmentProblem(f"{folder / there[0]} exists already, and nothing was written; choose another folder")
    for name, text in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise EnvironmentProblem(f"{path} cannot be written ({error.strerror})") from error


def _check_names(*names: str) -> None:
    wrong = [name for name in names if not _NAME.fullmatch(name)]
    if wrong:
        raise ConfigurationError([f"{wrong[0]!r} is no name: use letters, digits, - and _, at most 64, a letter first"])
