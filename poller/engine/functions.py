"""The functions' part of the wiring: each is built for the first mapping that uses it, and closed after the last.

Also says how one behind a URL is asked, secured and authorized.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import TypeAlias

from poller.aws.chain import ca_bundle_of, open_session
from poller.aws.credentials import CredentialSource
from poller.aws.proxies import proxy_for
from poller.aws.sdk_errors import as_no_credentials, sdk_errors
from poller.aws.transports import Borrowed, Transports
from poller.configuration import AwsSettings, EventSourceMapping, FunctionConfig
from poller.configuration.model.functions import WebConfig
from poller.engine.function_arns import arn_of
from poller.engine.runtimes import Runtimes
from poller.functions.callable import Callable, CallableFunction
from poller.functions.http import HttpFunction
from poller.functions.lambda_api import LambdaFunction
from poller.functions.requests import Hmac, PlainRequests, Requests, SignedRequests
from poller.functions.runtime_api import RuntimeFunction
from poller.functions.step_functions import StepFunctionsFunction
from poller.http import TlsFiles
from poller.policy.backoff import Chance
from poller.ports.function import Function
from poller.runtime.breaker import Breaker
from poller.runtime.slots import Slots
from poller.support import telemetry
from poller.values.errors import UnknownFunction

Key: TypeAlias = tuple[FunctionConfig, str]
"""What is called, and from which region; one that runs here has one set of workers for all of them."""


class Functions:
    """Shared by all mappings."""

    def __init__(self, transports: Transports, chance: Chance) -> None:
        self._transports = transports
        self._chance = chance
        self._runtimes = Runtimes(chance)
        self._built: dict[Key, tuple[Function, Borrowed]] = {}
        self._users: Counter[Key] = Counter()
        self._slots: dict[tuple[str, AwsSettings], Slots] = {}
        self._breakers: dict[Key, Breaker] = {}

    async def take(self, mapping: EventSourceMapping) -> Function:
        """For one more mapping. Raises EnvironmentProblem and ConfigurationError."""
        key = _key(mapping)
        if key not in self._built:
            transports = self._transports.borrow()
            self._built[key] = await self._build(mapping, transports), transports
        self._users[key] += 1
        return self._built[key][0]

    async def _build(self, mapping: EventSourceMapping, transports: Borrowed) -> Function:
        config = mapping.function
        if config.type == "runtime":
            return await self._runtimes.build(mapping)
        if config.type == "callable":
            assert isinstance(config.settings, Callable)
            return CallableFunction(config.key, config.settings, function_arn=arn_of(mapping))
        if config.type == "lambda":
            return await lambda_function(config, mapping.region, transports)
        if config.type == "step_functions":
            return await step_functions(config, mapping.region, transports)
        return web_function(config)

    async def release(self, mapping: EventSourceMapping) -> None:
        """One mapping less; the last one closes it."""
        key = _key(mapping)
        self._users[key] -= 1
        if not self._users[key]:
            del self._users[key]
            self._breakers.pop(key, None)
            function, transports = self._built.pop(key)
            limit = (mapping.function.key, mapping.function.aws)
            if not any((config.key, config.aws) == limit for config, _ in self._users):
                self._slots.pop(limit, None)
            await function.close()
            await transports.close()

    def slots(self, config: FunctionConfig) -> Slots:
        """By the key of the function and not by its parameters: the limit holds while mappings change from one set of
        them to another, and is the newest one's.
        """
        slots = self._slots.setdefault((config.key, config.aws), Slots(config.concurrency))
        if slots.limit != config.concurrency:
            slots.resize(config.concurrency)
        slots.keep_to(config.max_requests_per_second)
        return slots

    def breaker(self, mapping: EventSourceMapping) -> Breaker:
        """One for all mappings; what is called differently is tried anew."""
        return self._breakers.setdefault(_key(mapping), Breaker(self._chance))

    def restart(self, name: str) -> None:
        """Start the workers of a function that runs here anew. Raises UnknownFunction."""
        started = {function.name: function for function in self._functions() if isinstance(function, RuntimeFunction)}
        if name in started:
            started[name].restart("request")
            return
        if name in {function.name for function in self._functions()}:
            raise UnknownFunction(f"the function {name} has no workers that poller starts; restart it where it runs")
        known = ", ".join(sorted(started)) or "none"
        raise UnknownFunction(f"there is no function {name} whose workers poller starts; there are: {known}")

    def _functions(self) -> list[Function]:
        return [function for function, _ in self._built.values()]

    def refresh(self) -> None:
        """Secrets and code may have changed."""
        for function in self._functions():
            function.refresh()

    async def close(self) -> None:
        """Close them all; transports belong to whoever made them."""
        await asyncio.gather(*(function.close() for function in self._functions()))
        self._runtimes.close()


def _key(mapping: EventSourceMapping) -> Key:
    return mapping.function, "" if mapping.function.type == "runtime" else mapping.region


async def lambda_function(config: FunctionConfig, region: str, transports: Borrowed) -> Function:
    """In the mapping's region, unless the configuration says otherwise: Lambda itself knows nothing else."""
    assert config.function_name is not None
    return LambdaFunction(
        config.key,
        await transports.get(config.aws, config.region or region),
        function_name=config.function_name,
        qualifier=config.qualifier,
        timeout=config.timeout_seconds,
        payload_limit=config.payload_limit,
        rie=config.rie,
        invocation_type=config.invocation_type,
        log_type=config.log_type,
    )


async def step_functions(config: FunctionConfig, region: str, transports: Borrowed) -> Function:
    """An Express workflow, in its ARN's region unless an endpoint applies."""
    assert config.state_machine_arn is not None
    return StepFunctionsFunction(
        config.key,
        await transports.get(config.aws, config.region or region),
        state_machine_arn=config.state_machine_arn,
        timeout=config.timeout_seconds,
        payload_limit=config.payload_limit,
    )


def web_function(config: FunctionConfig) -> Function:
    """Call it inside the running loop."""
    web = config.web
    assert web is not None
    proxy = proxy_for(web.url)
    if proxy is not None:
        telemetry.logger().info("transport_chosen", function=config.key, transport="aiohttp", because="a proxy applies")
    return HttpFunction(
        config.key,
        web.url,
        _requests(config, web),
        timeout=config.timeout_seconds,
        payload_limit=config.payload_limit,
        proxy=proxy,
        tls=tls_files(config),
        aws=is_aws(config),
    )


def tls_files(config: FunctionConfig) -> TlsFiles:
    """As the HTTP client takes them. An AWS service is trusted as everywhere else: by AWS_CA_BUNDLE or the profile.

    Raises NoCredentials for a profile that does not exist.
    """
    web = config.web
    assert web is not None
    bundle = str(web.ca_bundle) if web.ca_bundle else None
    if bundle is None and is_aws(config):
        with sdk_errors(as_no_credentials):
            bundle = ca_bundle_of(open_session(config.aws, web.sigv4.region if web.sigv4 else ""))
    paths = (web.client_certificate, web.client_key)
    return TlsFiles(bundle, *(str(path) if path else None for path in paths))


def is_aws(config: FunctionConfig) -> bool:
    """Whether an AWS service stands in front of the function behind a URL."""
    return config.type == "function_url" or (config.web is not None and config.web.sigv4 is not None)


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
