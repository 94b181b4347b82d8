"""Reaching the origin of a function behind a URL."""

from poller.aws.proxies import proxy_for
from poller.aws.transports import Transports
from poller.configuration.model.functions import FunctionConfig
from poller.functions.reachable import connect
from poller.functions.web.authorization import tls_files
from poller.ports.reach import Tries


async def reach(function: FunctionConfig, _region: str, _transports: Transports, tries: Tries) -> None:
    """Note the answers in `tries`."""
    assert function.url is not None
    if proxy_for(function.url):
        tries.untried.append("the connection (it goes through a proxy)")
        return
    url = function.url

    async def connecting() -> None:
        await connect(url, tls_files(function))

    await tries.attempt("connect", connecting)
    if tries.ok:
        tries.untried.append("a request (it would run the function)")
