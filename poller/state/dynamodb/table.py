"""The table: its form, its calls with a deadline, and errors of the service as reasons with what to do."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from poller.aws.port import Operation, Transport
from poller.state.dynamodb.items import Item, decoded, encoded
from poller.state.rows import NONSENSE
from poller.support import codec
from poller.values.errors import CallError, ServiceError, StateError

ANSWER_SECONDS = 5.0
"""Deadline of one call, in seconds, where no lease sets another."""
KEYS = {"AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]} | {
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
}
FORM = KEYS | {"BillingMode": "PAY_PER_REQUEST"}
"""How the table is made."""
ADVICE = {
    "ResourceNotFoundException": "the table does not exist: run `poller state migrate`",
    "AccessDeniedException": "allow it to the daemon, see `poller iam-policy`",
    "ProvisionedThroughputExceededException": "set the table to on-demand capacity, or raise what is provisioned",
    "RequestLimitExceeded": "raise the account's limit of the table",
    "KMSAccessDeniedException": "allow the key of the table to the daemon",
}
"""By error code."""
BATCH = 25
"""Deletes that one call takes."""


def _operation(name: str) -> Operation:
    return Operation("dynamodb", name, f"DynamoDB_20120810.{name}", timeout=ANSWER_SECONDS)


GET, QUERY, SCAN = _operation("GetItem"), _operation("Query"), _operation("Scan")
PUT, UPDATE, DELETE = _operation("PutItem"), _operation("UpdateItem"), _operation("DeleteItem")
TRANSACT, BATCH_WRITE = _operation("TransactWriteItems"), _operation("BatchWriteItem")
DESCRIBE, CREATE = _operation("DescribeTable"), _operation("CreateTable")


class Unmet(Exception):
    """The condition of a write was not met, and nothing was written."""

    def __init__(self, found: Item | None) -> None:
        super().__init__("the condition was not met")
        self.item = found
        """The item as it stands; None where there is none, or the service does not say."""


class Refused(StateError):
    """The service understood, and refuses until a person changes something."""


def template(table: str) -> str:
    """The table for CloudFormation."""
    resource = {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": table, **FORM}}
    return json.dumps({"Resources": {"PollerState": resource}}, indent=2)


class Table:
    """One table. Every call raises StateError, and a conditional write Unmet."""

    def __init__(self, transport: Transport, name: str, region: str, seconds: float = ANSWER_SECONDS) -> None:
        self.where = f"dynamodb://{name}?region={region}"
        self.name = name
        self._transport = transport
        self._seconds = seconds

    async def call(self, operation: Operation, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer, a JSON object."""
        try:
            async with asyncio.timeout(self._seconds):
                reply = await self._transport.call(operation, codec.dumps(request))
            answer = codec.loads(reply.body)
            if not isinstance(answer, dict):
                raise TypeError("not a JSON object")
        except TimeoutError as error:
            raise StateError(f"the store {self.where}: no answer within {self._seconds:g} s") from error
        except ServiceError as error:
            raise self._refusal(operation, error) from error
        except CallError as error:
            raise StateError(f"the store {self.where} cannot be reached: {error}") from error
        except NONSENSE as error:
            raise self.nonsense(error) from error
        return answer

    def nonsense(self, error: Exception) -> StateError:
        """For an answer or an item that cannot be understood."""
        return StateError(f"the store {self.where}: its answer cannot be understood ({error!r:.200})")

    def _refusal(self, operation: Operation, error: ServiceError) -> Exception:
        try:
            if error.code == "ConditionalCheckFailedException":
                return Unmet(_found(codec.loads(error.body)))
            if error.code == "TransactionCanceledException":
                for reason in codec.loads(error.body).get("CancellationReasons") or ():
                    if reason.get("Code") == "ConditionalCheckFailed":
                        return Unmet(_found(reason))
        except NONSENSE as nonsense:
            return self.nonsense(nonsense)
        told = ADVICE.get(error.code)
        kind = Refused if error.code in ("AccessDeniedException", "ResourceNotFoundException") else StateError
        return kind(f"the store {self.where}: {operation.name}: {str(error)[:300]}" + (f"; {told}" if told else ""))

    async def get(self, pk: str, sk: str) -> Item | None:
        """An item as every acknowledged write left it."""
        answer = await self.call(GET, {"TableName": self.name, "Key": _key(pk, sk), "ConsistentRead": True})
        return self._item(answer.get("Item"))

    def _item(self, written: Any) -> Item | None:
        try:
            return None if written is None else decoded(written)
        except NONSENSE as error:
            raise self.nonsense(error) from error

    async def query(self, pk: str, prefix: str = "", attributes: Sequence[str] = ()) -> AsyncIterator[Item]:
        """All items of a partition, by the beginning of their sort key."""
        request: dict[str, Any] = {"TableName": self.name, "ConsistentRead": True}
        values = {":pk": encoded(pk)}
        condition = "#pk = :pk"
        names = {"#pk": "pk"}
        if prefix:
            condition += " AND begins_with(#sk, :sk)"
            names["#sk"] = "sk"
            values[":sk"] = encoded(prefix)
        if attributes:
            names |= {f"#a{number}": name for number, name in enumerate(attributes)}
            request["ProjectionExpression"] = ", ".join(f"#a{number}" for number in range(len(attributes)))
        request |= {"KeyConditionExpression": condition, "ExpressionAttributeValues": values}
        request["ExpressionAttributeNames"] = names
        while True:
            answer = await self.call(QUERY, request)
            for written in answer.get("Items") or ():
                found = self._item(written)
                if found is not None:
                    yield found
            following = answer.get("LastEvaluatedKey")
            if not following:
                return
            request["ExclusiveStartKey"] = following

    async def update(self, change: "Change", *, returned: bool = False) -> Item | None:
        """Change an item by a condition. Returns the item where it is asked for. Raises Unmet."""
        request = change.request(self.name) | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        if returned:
            request["ReturnValues"] = "ALL_NEW"
        try:
            answer = await self.call(UPDATE, request)
        except Unmet as unmet:
            raise await self.known(unmet, change.pk, change.sk) from unmet
        return self._item(answer.get("Attributes"))

    async def put(self, written: Mapping[str, Any], *, new: bool = False) -> None:
        """Store an item; with `new` only where there is none, else raises Unmet."""
        request: dict[str, Any] = {"TableName": self.name, "Item": written}
        if new:
            request |= {"ConditionExpression": "attribute_not_exists(pk)"}
            request |= {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        try:
            await self.call(PUT, request)
        except Unmet as unmet:
            raise await self.known(unmet, written["pk"]["S"], written["sk"]["S"]) from unmet

    async def known(self, unmet: Unmet, pk: str, sk: str) -> Unmet:
        """The same with the item, from a service that does not say which it found."""
        return unmet if unmet.item is not None else Unmet(await self.get(pk, sk))

    async def together(
        self, first: "Change", items: Sequence[Mapping[str, Any]] = (), *, also: "Change | None" = None
    ) -> None:
        """Change one item by its condition, and store others, or nothing of it. `also` changes one more by
        its condition. Raises Unmet.
        """
        update = first.request(self.name) | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        writes: list[dict[str, Any]] = [{"Update": update}]
        writes += [{"Put": {"TableName": self.name, "Item": each}} for each in items]
        if also is not None:
            writes.append({"Update": also.request(self.name)})
        try:
            await self.call(TRANSACT, {"TransactItems": writes})
        except Unmet as unmet:
            raise await self.known(unmet, first.pk, first.sk) from unmet

    async def delete(
        self, pk: str, sk: str, condition: str = "", values: Mapping[str, str | bool] | None = None
    ) -> None:
        """Delete an item. With a condition on attributes that are named as `values`, one that meets it not stays."""
        request: dict[str, Any] = {"TableName": self.name, "Key": _key(pk, sk)}
        if values:
            request["ConditionExpression"] = condition
            request["ExpressionAttributeNames"] = {f"#{name}": name for name in values}
            request["ExpressionAttributeValues"] = {f":{name}": encoded(value) for name, value in values.items()}
        with suppress(Unmet):
            await self.call(DELETE, request)

    async def delete_all(self, keys: Sequence[tuple[str, str]]) -> None:
        """Delete many items."""
        for start in range(0, len(keys), BATCH):
            some = [{"DeleteRequest": {"Key": _key(*key)}} for key in keys[start : start + BATCH]]
            left: Any = {self.name: some}
            while left:
                answer = await self.call(BATCH_WRITE, {"RequestItems": left})
                left = answer.get("UnprocessedItems")


def _found(body: Mapping[str, Any]) -> Item | None:
    written = body.get("Item")
    return decoded(written) if written else None


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": encoded(pk), "sk": encoded(sk)}


class Change:
    """One UpdateItem: attributes to set and to remove, and the condition. Names and values are placeholders in it."""

    def __init__(self, pk: str, sk: str, condition: str) -> None:
        """In the condition `#name` is an attribute, and `:name` a value given by `where`."""
        self.pk = pk
        self.sk = sk
        self._condition = condition
        self._values: dict[str, Any] = {}
        self._set: list[str] = []
        self._remove: list[str] = []
        self._names: set[str] = set()

    def where(self, **values: str | float | bool) -> "Change":
        """Values of the condition."""
        self._values |= {f":{name}": encoded(value) for name, value in values.items()}
        return self

    def set(self, **values: str | float | bool | bytes | None) -> "Change":
        """Attributes to set; None removes one."""
        for name, value in values.items():
            self._names.add(name)
            if value is None:
                self._remove.append(f"#{name}")
            else:
                self._set.append(f"#{name} = :to_{name}")
                self._values[f":to_{name}"] = encoded(value)
        return self

    def request(self, table: str) -> dict[str, Any]:
        """For UpdateItem, and for an update in a transaction."""
        parts = [f"SET {', '.join(self._set)}"] if self._set else []
        parts += [f"REMOVE {', '.join(self._remove)}"] if self._remove else []
        names = self._names | set(re.findall(r"#(\w+)", self._condition))
        return {
            "TableName": table,
            "Key": _key(self.pk, self.sk),
            "UpdateExpression": " ".join(parts),
            "ConditionExpression": self._condition,
            "ExpressionAttributeNames": {f"#{name}": name for name in sorted(names)},
            "ExpressionAttributeValues": self._values,
        }
