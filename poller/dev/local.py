"""The configuration of `poller dev`: the user's own, against a local AWS in which its sources are created."""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from poller.aws.sdk_calls import SdkCalls
from poller.configuration import AwsSettings, Configuration, EventSourceMapping, FunctionConfig, Need
from poller.configuration.watching import Reader
from poller.demo import local_aws
from poller.demo.process import forget_the_users_aws
from poller.sources.kinds import KINDS, parse_source
from poller.support.printable import say
from poller.values.arns import EventSource
from poller.values.errors import CallError, EnvironmentProblem

NOTE = Path(".poller") / "dev.json"
"""Where `poller send` finds the local AWS of a `poller dev` in the same folder."""
RELOADED = "reload_on_change"
"""The option of functions whose code is watched."""


def names_an_endpoint(configuration: Configuration) -> bool:
    """Whether the user says where AWS is; then nothing local is started."""
    return any(mapping.aws.for_service(mapping.source.service)[0] for mapping in configuration.mappings)


@contextmanager
def local(configuration: Configuration) -> Iterator[str]:
    """A local AWS for the account of the mappings, until the context ends. Raises EnvironmentProblem."""
    local_aws.require()
    become(account_of(configuration))
    with TemporaryDirectory(prefix="poller-dev-") as folder, local_aws.running(Path(folder) / "aws") as (process, url):
        asyncio.run(local_aws.ready(process, url))
        _note({"endpoint_url": url, "pid": os.getpid()})
        try:
            yield url
        finally:
            NOTE.unlink(missing_ok=True)


def account_of(configuration: Configuration) -> str:
    """The local AWS holds one account; the first mapping's is taken."""
    accounts = [mapping.source.account for mapping in configuration.mappings]
    return accounts[0] if accounts else local_aws.ACCOUNT


def become(account: str) -> None:
    """Call AWS with the credentials of the local one, and with nothing of the user's."""
    forget_the_users_aws()
    os.environ.update({**local_aws.CREDENTIALS, "AWS_ACCESS_KEY_ID": account})


def running() -> str | None:
    """The endpoint of the `poller dev` of this folder, while one runs."""
    try:
        note = json.loads(NOTE.read_text(encoding="utf-8"))
        os.kill(int(note["pid"]), 0)
        url = str(note["endpoint_url"])
        # whoever may write here could otherwise have payloads sent elsewhere
        return url if is_local(url) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _note(values: Mapping[str, Any]) -> None:
    try:
        NOTE.parent.mkdir(exist_ok=True)
        NOTE.write_text(json.dumps(values), encoding="utf-8")
    except OSError as error:
        raise EnvironmentProblem(f"{NOTE} cannot be written ({error.strerror})") from error


class DevelopmentReader(Reader):
    """Reads the user's files, and creates what they name."""

    def __init__(self, paths: list[Path] | None, url: str | None) -> None:
        """`url` is that of the local AWS; None leaves AWS as configured, and creates something only where an endpoint
        is on this machine.
        """
        # a person sits in front of one process, whatever runs in production
        super().__init__(paths, os.environ, Need.MAPPINGS, {"workers": 1})
        self._url = url
        self._created: dict[str, str] = {}

    def read(self) -> Configuration:
        """See `Reader.read`."""
        configuration = super().read()
        settings = configuration.settings
        settings = settings.model_copy(update={"log": settings.log.model_copy(update={"format": "console"})})
        if self._url is not None:
            settings = settings.model_copy(update={"state": "memory:"})
        functions = {key: self._function(function) for key, function in configuration.functions.items()}
        mappings = [self._mapping(mapping) for mapping in configuration.mappings]
        return replace(configuration, settings=settings, functions=functions, mappings=mappings)

    def _function(self, function: FunctionConfig) -> FunctionConfig:
        options: Any = function.options
        if any(field.name == RELOADED for field in fields(options)):
            function = replace(function, options=replace(options, **{RELOADED: True}))
        return function

    def _mapping(self, mapping: EventSourceMapping) -> EventSourceMapping:
        shadow = mapping.shadow_function and self._function(mapping.shadow_function)
        mapping = replace(mapping, function=self._function(mapping.function), shadow_function=shadow)
        aws = mapping.aws if self._url is None else local_settings(self._url, mapping)
        if not is_local(aws.for_service(mapping.source.service)[0]):
            return mapping
        arns = [mapping.event_source_arn, mapping.on_failure_destination, mapping.on_no_match]
        for arn in filter(None, arns):
            self._create(arn, aws)
        made = self._created.get(mapping.event_source_arn, mapping.event_source_arn)
        return replace(mapping, aws=aws, event_source_arn=made, source=parse_source(made))

    def _create(self, arn: str, aws: AwsSettings) -> None:
        if arn in self._created:
            return
        try:
            source = parse_source(arn)
        except ValueError:
            say(f"not created: {arn}; only queues and streams are", error=True)
            self._created[arn] = arn
            return
        self._created[arn] = created(source, aws)
        say(f"created {KINDS[source.kind].title} {source.name}", flush=True)


def is_local(endpoint: str | None) -> bool:
    """Whether an endpoint is on this machine, where nothing costs money and everything can be created."""
    host = urlsplit(endpoint or "").hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def local_settings(url: str, mapping: EventSourceMapping) -> AwsSettings:
    """How a mapping reaches the local AWS."""
    return AwsSettings(region=mapping.source.region, endpoint_url=url, transport=mapping.aws.transport)


def created(source: EventSource, aws: AwsSettings) -> str:
    """The ARN of the source, which is there now. Raises EnvironmentProblem."""
    made = KINDS[source.kind].development
    if made is None:
        return source.arn
    call = partial(SdkCalls(aws, source.region).call)
    try:
        return asyncio.run(_create(made().create(source, call)))
    except CallError as error:
        raise EnvironmentProblem(f"{source.arn} cannot be created: {error}") from error


async def _create(work: Any) -> str:
    return str(await work)
