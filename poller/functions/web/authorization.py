"""Authorizes requests to a function behind a URL: by headers, a signature or a client certificate."""

import asyncio
import base64
from collections.abc import Mapping
from functools import partial

from poller.aws.chain import ca_bundle_of, open_session
from poller.aws.credentials import CredentialSource
from poller.aws.sdk_errors import as_no_credentials, sdk_errors
from poller.configuration.model.functions import FunctionConfig
from poller.functions.web.options import WebOptions
from poller.functions.web.requests import Hmac, PlainRequests, Requests, SignedRequests
from poller.http import TlsFiles


def requests_of(config: FunctionConfig, web: WebOptions) -> Requests:
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


def _headers(web: WebOptions) -> Mapping[str, str]:
    """The headers of every request. Reads the secrets."""
    headers = {name: value.read() for name, value in web.headers.items()}
    if web.bearer_token is not None:
        headers["Authorization"] = f"Bearer {web.bearer_token.read()}"
    if web.basic_auth is not None:
        pair = f"{web.basic_auth.username.read()}:{web.basic_auth.password.read()}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode('utf-8')).decode('ascii')}"
    return headers


def tls_files(config: FunctionConfig) -> TlsFiles:
    """The files that TLS needs. For an AWS service, AWS_CA_BUNDLE or the profile names the trusted authorities.

    Raises NoCredentials for a profile that does not exist.
    """
    web = WebOptions.of(config)
    bundle = str(web.ca_bundle) if web.ca_bundle else None
    if bundle is None and is_aws(config):
        with sdk_errors(as_no_credentials):
            bundle = ca_bundle_of(open_session(config.aws, web.sigv4.region if web.sigv4 else ""))
    paths = (web.client_certificate, web.client_key)
    return TlsFiles(bundle, *(str(path) if path else None for path in paths))


def is_aws(config: FunctionConfig) -> bool:
    """Whether an AWS service stands in front of the function behind a URL."""
    return config.type == "function_url" or WebOptions.of(config).sigv4 is not None
