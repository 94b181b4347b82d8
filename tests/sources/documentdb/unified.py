"""The change stream tests of MongoDB's specifications: `python -m tests.sources.documentdb.unified DIRECTORY`.

DIRECTORY is `source/change-streams/tests/unified` of a checkout of mongodb/specifications. The source reads the double,
to which the cases' writes go. A line for each case that differs or is not for us; then how many there were.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poller.sources.documentdb.change import Reading
from poller.sources.documentdb.changes import ChangeStreams, Watched
from poller.sources.documentdb.server import CommandFailed
from poller.sources.sharded.api import Position
from poller.values.errors import IteratorExpired
from tests.fakes.mongo.commands import RESUMABLE, Cut, FakeMongo
from tests.fakes.mongo.port import FakeServer

if TYPE_CHECKING:
    from poller.sources.documentdb.cursor import ChangeStream

OWN_SIZE = {"cursor"}
"""Members of a command that say how much is read at once, which is ours to choose."""
WRITES = frozenset({"insertOne", "updateOne", "replaceOne", "deleteOne", "dropCollection", "rename"})


class NotForUs(Exception):
    """What the case asks for, and the source does not have."""


class Differs(Exception):
    """How."""


class Failing(FakeMongo):
    """Remembers its commands; so many of one name fail."""

    def __init__(self, *, labels: bool) -> None:
        super().__init__(time.time, labels=labels)
        self.heard: list[dict[str, Any]] = []
        self.fails: Counter[str] = Counter()
        self.data: Mapping[str, Any] = {}

    async def _answer(self, name: str, database: str, command: Mapping[str, Any], session: Any) -> dict[str, Any]:
        self.heard.append({**command, "$db": database})
        if self.fails[name]:
            self.fails[name] -= 1
            if self.data.get("closeConnection"):
                raise Cut
            refused = self.refused(self.data["errorCode"], "", "by plan")
            if labels := self.data.get("errorLabels"):
                refused.reply["errorLabels"] = labels
            raise refused
        return await super()._answer(name, database, command, session)


class Case:
    """One test of a file."""

    def __init__(self, entities: Mapping[str, tuple[str, str | None]], labels: bool) -> None:
        """`entities`: database and collection of each name."""
        self._entities = entities
        self.mongo = Failing(labels=labels)
        self._streams: ChangeStreams | None = None
        self._stream: ChangeStream | None = None
        self._position = Position("LATEST")
        self._found: list[dict[str, Any]] = []

    async def run(self, operation: Mapping[str, Any]) -> None:
        name, arguments = operation["name"], operation.get("arguments", {})
        if name == "failPoint":
            point = arguments["failPoint"]
            # the other point is within a read, where the server labels the error itself
            within = point["configureFailPoint"] == "failGetMoreAfterCursorCheckout"
            self.mongo.data = {"errorLabels": RESUMABLE, **point["data"]} if within else point["data"]
            names = ["getMore"] if within else point["data"]["failCommands"]
            self.mongo.fails.update(dict.fromkeys(names, point["mode"]["times"]))
        elif name == "createChangeStream":
            await self._open(operation, arguments)
        elif name == "iterateUntilDocumentOrError":
            await self._iterate(operation)
        elif name in WRITES:
            self._write(name, *self._entities[operation["object"]], arguments)
        else:
            raise NotForUs(f"the operation {name}")

    async def _open(self, operation: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
        if operation["object"] not in self._entities or "expectError" in operation:
            raise NotForUs("the stream of a whole cluster, or of a server that is none")
        if arguments["pipeline"] or (further := arguments.keys() - {"pipeline", "batchSize"}):
            raise NotForUs("a pipeline" if arguments["pipeline"] else f"the option {', '.join(sorted(further))}")
        watched = Watched(*self._entities[operation["object"]], "Default")
        self._streams = ChangeStreams(
            FakeServer(self.mongo), watched, Reading("relaxed"), "stop", lambda *_, **__: None
        )
        self._stream = await self._streams.open("changes", self._position)

    async def _iterate(self, operation: Mapping[str, Any]) -> None:
        try:
            async with asyncio.timeout(10):
                while not self._found:
                    await self._read()
        except CommandFailed as error:
            wanted = operation.get("expectError")
            if wanted is None or f"({wanted.get('errorCode', '')}" not in str(error):
                raise Differs(f"it ended with {error}") from error
            return
        except TimeoutError as error:
            raise Differs("no change came") from error
        if "expectError" in operation:
            raise Differs("no error came")
        _match(operation.get("expectResult", {}), self._found.pop(0), "", whole=False)

    async def _read(self) -> None:
        """As a shard's reader does: behind the last change, in another stream, where this one ended."""
        assert self._stream is not None
        assert self._streams is not None
        try:
            page = await self._stream.page()
        except IteratorExpired:
            self._stream = await self._streams.open("changes", self._position)
            return
        assert page is not None
        last = page.continuation or (page.records[-1].position if page.records else None)
        if last is not None:
            self._position = Position("AFTER_SEQUENCE_NUMBER", last)
        self._found += [json.loads(change.json) for change in page.records]

    def _write(self, name: str, database: str, collection: str | None, arguments: Mapping[str, Any]) -> None:
        log, collection = self.mongo.log, arguments.get("collection", collection)
        if name == "insertOne":
            log.insert(database, collection, arguments["document"])
        elif name == "dropCollection":
            # one that is not there is no change
            if (database, collection) in log.documents or collection == "collection0":
                log.drop(database, collection)
        elif name == "rename":
            log.rename(database, collection, arguments["to"])
        else:
            documents = log.documents[database, collection]
            key = next(key for key, one in documents.items() if arguments["filter"].items() <= one.items())
            if name == "deleteOne":
                log.delete(database, collection, key)
            elif name == "replaceOne":
                log.replace(database, collection, {"_id": key, **arguments["replacement"]})
            elif isinstance(arguments["update"], list):
                raise NotForUs("an update by a pipeline, which the double does not know")
            else:
                log.update(database, collection, key, **arguments["update"]["$set"])

    def check_commands(self, events: list[Mapping[str, Any]]) -> None:
        """Each expected one in its order; others may come between."""
        heard = iter(self.mongo.heard)
        for event in events:
            started = event["commandStartedEvent"]
            wanted = {name: value for name, value in started["command"].items() if name not in OWN_SIZE}
            if not any(_matches(wanted, one) and started.get("databaseName") in (None, one["$db"]) for one in heard):
                raise Differs(f"no command was like {json.dumps(started)}")


def _matches(wanted: Any, found: Any) -> bool:
    try:
        _match(wanted, found, "", whole=False)
    except Differs:
        return False
    return True


def _match(wanted: Any, found: Any, path: str, *, whole: bool = True) -> None:
    """By the rules of the unified test format, as far as these files use them. Raises Differs."""
    if isinstance(wanted, dict) and len(wanted) == 1 and next(iter(wanted)).startswith("$$"):
        [(operator, value)] = wanted.items()
        _match_operator(operator, value, found, path)
    elif isinstance(wanted, dict):
        if not isinstance(found, dict) or (whole and found.keys() - wanted.keys()):
            raise Differs(f"{path} is {found!r}")
        for name, value in wanted.items():
            _match(value, found.get(name), f"{path}.{name}")
    elif isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            raise Differs(f"{path} is {found!r}")
        for value, one in zip(wanted, found, strict=True):
            _match(value, one, f"{path}[]")
    elif wanted != found:
        raise Differs(f"{path} is {found!r}, and not {wanted!r}")


def _match_operator(operator: str, value: Any, found: Any, path: str) -> None:
    if operator == "$$exists":
        if value is not (found is not None):
            raise Differs(f"{path} is {found!r}")
    elif operator == "$$unsetOrMatches":
        if found is not None:
            _match(value, found, path)
    elif operator != "$$type":
        raise NotForUs(f"the operator {operator}")


def _entities(document: Mapping[str, Any]) -> dict[str, tuple[str, str | None]]:
    found: dict[str, tuple[str, str | None]] = {}
    for entity in document["createEntities"]:
        if database := entity.get("database"):
            found[database["id"]] = (database["databaseName"], None)
        elif collection := entity.get("collection"):
            found[collection["id"]] = (found[collection["database"]][0], collection["collectionName"])
    return found


async def _judged(document: Mapping[str, Any], test: Mapping[str, Any], *, labels: bool) -> tuple[str, str]:
    case = Case(_entities(document), labels)
    try:
        for operation in test["operations"]:
            await case.run(operation)
        for expected in test.get("expectEvents") or ():
            case.check_commands(expected["events"])
    except NotForUs as error:
        return "not for us", str(error)
    except Differs as error:
        return "differs", str(error)
    return "passed", ""


def results(directory: Path) -> Iterator[tuple[str, str, str]]:
    """File and case, the verdict, and why."""
    for path in sorted(directory.glob("change-streams*.json")):
        document = json.loads(path.read_text())
        for test in document["tests"]:
            # servers of the older list set no labels
            verdict = asyncio.run(_judged(document, test, labels="allowlist" not in path.stem))
            yield f"{path.stem}: {test['description']}", *verdict


if __name__ == "__main__":
    counts: Counter[str] = Counter()
    for case_name, said, why in results(Path(sys.argv[1])):
        counts[said] += 1
        if said != "passed":
            sys.stdout.write(f"{case_name}: {said}: {why}\n")
    sys.stdout.write(f"{dict(counts)}\n")
