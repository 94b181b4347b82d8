"""Reads and checks the configuration: files, environment and command line in, frozen values out."""

from poller.configuration.lenient import read_api_leniently
from poller.configuration.load import Configuration, Need, load, schema_text
from poller.configuration.model.aws import AwsSettings
from poller.configuration.model.functions import FunctionConfig
from poller.configuration.model.mapping import EventSourceMapping, ProvisionedPollerConfig, ScalingConfig, default_uuid
from poller.configuration.model.settings import ApiCredential, ApiSettings, Scope, Settings
from poller.configuration.model.telling import LogSettings
from poller.configuration.reading.secrets import Secret
from poller.sources.kinds import parse_source
from poller.values.arns import EventSource

__all__ = [
    "ApiCredential",
    "ApiSettings",
    "AwsSettings",
    "Configuration",
    "EventSource",
    "EventSourceMapping",
    "FunctionConfig",
    "LogSettings",
    "Need",
    "ProvisionedPollerConfig",
    "ScalingConfig",
    "Scope",
    "Secret",
    "Settings",
    "default_uuid",
    "load",
    "parse_source",
    "read_api_leniently",
    "schema_text",
]
