"""Reaching the origin of a function behind a URL."""

from poller.aws.proxies import proxy_for
from poller.aws.transports import Borrowed, Transports
from poller.configuration.model.functions import FunctionConfig
from poller.functions.reachable import connect
from poller.functions.web.authorization import tls_files
from poller.functions.web.options import WebOptions
from poller.ports.reach import Tries


async def reach(function: FunctionConfig, _region: str, _transports: Borrowed | Transports, tries: Tries) -> None:
    """Note the answers in `tries`."""
    url = WebOptions.of(function).url
    if proxy_for(url):
        tries.untried.append("the connection (it goes through a proxy)")
        return

    async def connecting() -> None:
        await connect(url, tls_files(function))

    await tries.attempt("connect", connecting)
    if tries.ok:
        tries.untried.append("a request (it would run the function)")
