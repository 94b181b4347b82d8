"""Builds functions behind a URL from their configuration."""

from poller.aws.proxies import proxy_for
from poller.configuration.model.functions import FunctionConfig
from poller.functions.type import Place
from poller.functions.web.authorization import is_aws, requests_of, tls_files
from poller.functions.web.http import HttpFunction
from poller.functions.web.options import WebOptions
from poller.support import telemetry


class WebBuilder:
    """See `FunctionBuilder`."""

    async def build(self, config: FunctionConfig, _place: Place) -> HttpFunction:
        """See `FunctionBuilder.build`."""
        return web_function(config)

    def close(self) -> None:
        """Nothing is shared."""


def web_function(config: FunctionConfig) -> HttpFunction:
    """Build the function. Call it inside the running loop."""
    web = WebOptions.of(config)
    proxy = proxy_for(web.url)
    if proxy is not None:
        telemetry.logger().info("transport_chosen", function=config.key, transport="aiohttp", because="a proxy applies")
    return HttpFunction(
        config.key,
        web.url,
        requests_of(config, web),
        timeout=config.timeout_seconds,
        payload_limit=config.payload_limit,
        proxy=proxy,
        tls=tls_files(config),
        aws=is_aws(config),
    )
