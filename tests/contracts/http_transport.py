"""A `Transport` to a local server, as plain as can be: blocking HTTP in a thread, and a signature nobody checks."""

import asyncio
import http.client
import json
import urllib.parse

from poller.aws.port import Operation, Reply
from poller.errors import AnswerLost, ServiceError
from tests.servers.account import Account


class HttpTransport:
    def __init__(self, account: Account) -> None:
        credential = account.client_arguments()["aws_access_key_id"]
        self._address = urllib.parse.urlsplit(account.url).netloc
        self._scope = f"{credential}/20260101/{account.region}"

    async def call(self, operation: Operation, body: bytes, timeout: float | None = None) -> Reply:  # noqa: ASYNC109
        return await asyncio.to_thread(self._call, operation, body, timeout or operation.timeout)

    async def close(self) -> None:
        """Nothing is kept open."""

    def _call(self, operation: Operation, body: bytes, seconds: float) -> Reply:
        headers = {"Content-Type": operation.content_type, "X-Amz-Date": "20260101T000000Z"} | dict(operation.headers)
        headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._scope}/{operation.service}/aws4_request, "
            "SignedHeaders=host;x-amz-date, Signature=0"
        )
        if operation.target is not None:
            headers["X-Amz-Target"] = operation.target
        connection = http.client.HTTPConnection(self._address, timeout=seconds)
        try:
            connection.request("POST", operation.path, body, headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise AnswerLost(str(error)) from error
        finally:
            connection.close()
        if response.status >= 300:
            raise _service_error(response.status, answer)
        return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, answer)


def _service_error(status: int, body: bytes) -> ServiceError:
    answer = json.loads(body)
    code = answer["__type"].rpartition("#")[2]
    return ServiceError(status, code, answer.get("message") or answer.get("Message", ""), body=body)
