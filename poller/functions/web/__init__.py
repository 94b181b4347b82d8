"""Functions behind a URL, function URLs included: the event is the body of a POST, and the status decides the outcome.

The two rows differ in their keys only. Both are invoked, authorized and reached alike.
"""

from typing import TYPE_CHECKING

from poller.functions.keys import HTTP_CONCURRENCY
from poller.functions.type import FileKeys, FunctionBuilder, FunctionType
from poller.functions.web.grants import grants, remarks
from poller.functions.web.keys import WrittenFunctionUrl, WrittenHttp, read_function_url, read_http

if TYPE_CHECKING:
    from poller.aws.transports import Borrowed, Transports
    from poller.configuration.model.functions import FunctionConfig
    from poller.policy.backoff import Chance
    from poller.ports.reach import Tries


def _builder(_chance: "Chance") -> FunctionBuilder:
    from poller.functions.web.building import WebBuilder  # noqa: PLC0415  (the row is imported without it)

    return WebBuilder()


async def _reach(function: "FunctionConfig", region: str, transports: "Borrowed | Transports", tries: "Tries") -> None:
    from poller.functions.web.reach import reach  # noqa: PLC0415

    await reach(function, region, transports, tries)


FUNCTION_URL = FunctionType(
    name="function_url",
    title="a Lambda function behind its function URL",
    keys=FileKeys(WrittenFunctionUrl, read_function_url),
    builder=_builder,
    grants=grants,
    remarks=remarks,
    reach=_reach,
    reach_is_proof=False,
)
HTTP = FunctionType(
    name="http",
    title="an HTTP service",
    keys=FileKeys(WrittenHttp, read_http),
    concurrency=HTTP_CONCURRENCY,
    builder=_builder,
    grants=grants,
    remarks=remarks,
    reach=_reach,
    reach_is_proof=False,
)
