"""What the user wrote, read and checked: files, environment and command line in, frozen values out."""

from poller.configuration.arns import EventSource, parse_source
from poller.configuration.functions import FunctionConfig
from poller.configuration.lenient import read_api_leniently
from poller.configuration.load import Configuration, Need, load
from poller.configuration.mapping import EventSourceMapping, ProvisionedPollerConfig, ScalingConfig, default_uuid
from poller.configuration.secrets import Secret
from poller.configuration.settings import ApiSettings, AwsSettings, LogSettings, Settings

__all__ = [
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
    "Secret",
    "Settings",
    "default_uuid",
    "load",
    "parse_source",
    "read_api_leniently",
]
