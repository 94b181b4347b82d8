"""What a bucket holds for a redrive: the objects of one mapping, in order, each forgotten once it is done."""

import json
from datetime import UTC, datetime
from typing import Any

from poller.destinations.s3.destination import object_key
from poller.destinations.s3.held import HeldInBucket
from poller.policy.beside import Amount


class Bucket:
    """A bucket behind the calls of the SDK."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def call(self, service: str, method: str, **asked: Any) -> dict[str, Any]:
        assert (service, asked.pop("Bucket")) == ("s3", "failed")
        if method == "list_objects_v2":
            found = sorted(key for key in self.objects if key.startswith(asked["Prefix"]) and key > asked["StartAfter"])
            some = {"Contents": [{"Key": key} for key in found[:2]], "IsTruncated": len(found) > 2}
            return some if found else {"IsTruncated": False}
        if method == "get_object":
            return {"Body": self.objects[asked["Key"]], "LastModified": datetime(2026, 1, 1, tzinfo=UTC)}
        assert method == "delete_object"
        del self.objects[asked["Key"]]
        return {}


async def test_the_objects_of_one_mapping_are_given_in_order_and_forgotten_once_done() -> None:
    bucket: Any = Bucket()
    for number in range(5):
        record = {"version": "1.0", "payload": json.dumps({"Records": [{"n": number}]})}
        bucket.objects[object_key("u", "s", 1_767_225_600.0 + number, "x")] = json.dumps(record).encode()
    bucket.objects[object_key("other", "s", 0.0, "x")] = b"{}"
    bucket.objects[object_key("u", "t", 0.0, "x")] = b"no JSON"
    holds = HeldInBucket("arn:aws:s3:::failed", bucket, "u")
    found = []
    while (held := await holds.next()) is not None:
        found.append(held)
        if held.record:
            await holds.done(held)
        else:
            await holds.give_back(held)
    assert [json.loads(held.record["payload"])["Records"][0]["n"] for held in found[:5]] == [0, 1, 2, 3, 4]
    assert (found[5].record, found[0].at) == ({}, 1_767_225_600.0)
    assert [*bucket.objects] == [object_key("other", "s", 0.0, "x"), object_key("u", "t", 0.0, "x")]


async def test_a_bucket_says_how_many_it_lists_and_whether_there_are_more() -> None:
    bucket: Any = Bucket()
    said = []
    for number in range(4):
        said.append(await HeldInBucket("arn:aws:s3:::failed", bucket, "u").amount())
        bucket.objects[object_key("u", "s", float(number), "x")] = b"{}"
    assert [(one.count, one.known) for one in said] == [(0, "exactly"), (1, "exactly"), (2, "exactly"), (2, "at least")]
    assert said[3] == Amount(2, "invocation record", "at least")
