"""The functions' part of the wiring: how one behind a URL is asked, secured and authorized."""

import asyncio
import base64
from collections.abc import Mapping
from functools import partial

from poller import telemetry
from poller.aws.credentials import CredentialSource, open_session
from poller.aws.proxies import proxy_for
from poller.configuration import FunctionConfig
from poller.configuration.functions import WebConfig
from poller.functions.http import HttpFunction
from poller.functions.requests import Hmac, PlainRequests, Requests, SignedRequests
from poller.http import TlsFiles
from poller.ports import Function


def web_function(config: FunctionConfig, environ: Mapping[str, str]) -> Function:
    """Call it inside the running loop. `environ` says whether a proxy applies."""
    web = config.web
    assert web is not None
    proxy = proxy_for(web.url, environ)
    if proxy is not None:
        telemetry.logger().info("transport_chosen", function=config.key, transport="aiohttp", because="a proxy applies")
    return HttpFunction(
        config.key,
        web.url,
        _requests(config, web),
        timeout=config.timeout_seconds,
        payload_limit=config.payload_limit,
        proxy=proxy,
        tls=tls_files(web),
        aws=config.type == "function_url" or web.sigv4 is not None,
    )


def tls_files(web: WebConfig) -> TlsFiles:
    """As the HTTP client takes them."""
    paths = (web.ca_bundle, web.client_certificate, web.client_key)
    return TlsFiles(*(str(path) if path else None for path in paths))


def _requests(config: FunctionConfig, web: WebConfig) -> Requests:
    headers = partial(_headers, web)
    if web.sigv4 is not None:
        service, region = web.sigv4.service, web.sigv4.region
        time = asyncio.get_running_loop().time
        credentials = CredentialSource(partial(open_session, config.aws, region), time)
        return SignedRequests(config.key, web.url, headers, credentials, service=service, region=region)
    signature = None
    if web.hmac is not None:
        own = web.hmac
        signature = Hmac(own.secret.read, own.header, own.timestamp_header, own.algorithm)
    return PlainRequests(config.key, web.url, headers, signature)


def _headers(web: WebConfig) -> Mapping[str, str]:
    """Every header that is the same for each request, secrets as they are now."""
    headers = {name: value.read() for name, value in web.headers.items()}
    if web.bearer_token is not None:
        headers["Authorization"] = f"Bearer {web.bearer_token.read()}"
    if web.basic_auth is not None:
        pair = f"{web.basic_auth.username.read()}:{web.basic_auth.password.read()}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode('utf-8')).decode('ascii')}"
    return headers
