"""ListFunctions, GetFunction and GetFunctionConfiguration: the configured functions, as Lambda describes its own.

Environment variables are left out, because they may hold secrets.
"""

import base64
import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from poller.daemon.api.lambda_api.errors import LambdaError
from poller.daemon.api.lambda_api.named import LATEST, Named, named
from poller.daemon.api.lambda_api.operation import Answer, Call, Operation
from poller.daemon.api.lambda_api.paging import marker, marker_of, most_items
from poller.ports.invoker import Hosted, Invoker

VERSION = "/2015-03-31"
FUNCTION = f"{VERSION}/functions/{{FunctionName}}"
PAGE = 50
"""Most functions of one answer, as Lambda's."""


class FunctionOperations:
    """Reads what is configured."""

    def __init__(self, invoker: Invoker, started_at: float) -> None:
        """`started_at`: epoch seconds, shown as the time of the last change."""
        self._invoker = invoker
        changed = datetime.fromtimestamp(started_at, UTC)
        self._modified = changed.strftime("%Y-%m-%dT%H:%M:%S.") + f"{changed.microsecond // 1000:03d}+0000"

    def operations(self) -> Sequence[Operation]:
        return [
            Operation("ListFunctions", "GET", f"{VERSION}/functions", "read", self.list),
            Operation("GetFunction", "GET", FUNCTION, "read", self.get),
            Operation("GetFunctionConfiguration", "GET", f"{FUNCTION}/configuration", "read", self.configuration),
            Operation("GetPolicy", "GET", f"{FUNCTION}/policy", "read", self.policy),
        ]

    async def list(self, call: Call) -> Answer:
        hosted = sorted(self._invoker.hosted(), key=lambda one: one.key)
        begin = marker(call)
        page = [one for one in hosted if one.key > begin][: most_items(call, PAGE) + 1]
        shown, more = page[: most_items(call, PAGE)], page[most_items(call, PAGE) :]
        body: dict[str, Any] = {"Functions": [self._described(one, one.arn) for one in shown]}
        if more:
            body["NextMarker"] = marker_of(shown[-1].key)
        return Answer(200, body)

    async def get(self, call: Call) -> Answer:
        found = named(self._invoker, call)
        body: dict[str, Any] = {"Configuration": self._of(found), "Code": {}, "Tags": {}}
        if found.hosted.concurrency is not None:
            body["Concurrency"] = {"ReservedConcurrentExecutions": found.hosted.concurrency}
        return Answer(200, body)

    async def configuration(self, call: Call) -> Answer:
        return Answer(200, self._of(named(self._invoker, call)))

    async def policy(self, call: Call) -> Answer:
        """No function here has one."""
        named(self._invoker, call)
        raise LambdaError("ResourceNotFoundException", "The resource you requested does not exist.")

    def _of(self, found: Named) -> dict[str, Any]:
        return self._described(found.hosted, found.arn)

    def _described(self, hosted: Hosted, arn: str) -> dict[str, Any]:
        return {
            "FunctionName": hosted.key,
            "FunctionArn": arn,
            "Runtime": "provided.al2023",
            "Role": f"arn:aws:iam::{arn.split(':')[4]}:role/poller",
            "Handler": "bootstrap",
            "CodeSize": 0,
            "Description": f"a function of type {hosted.type}, configured in poller",
            "Timeout": max(1, round(hosted.timeout_seconds)),
            "MemorySize": 128,
            "LastModified": self._modified,
            "CodeSha256": base64.b64encode(hashlib.sha256(hosted.key.encode()).digest()).decode(),
            "Version": LATEST,
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"poller:{hosted.arn}:{self._modified}")),
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": "Zip",
            "Architectures": ["x86_64"],
            "EphemeralStorage": {"Size": 512},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        }
