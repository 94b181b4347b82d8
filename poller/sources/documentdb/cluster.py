"""Where a cluster is, and who reads it: the connection string, or what AWS says about the ARN, and a secret.

Everything is asked anew for each client, which is made when the first command is sent, and again after the server has
refused the user: so a rotated secret is taken without a restart.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from poller.support import codec
from poller.values.errors import CallError, ConfigurationError

Call = Callable[..., Awaitable[dict[str, Any]]]
"""`call(service, method, **arguments)` of the SDK. Raises CallError."""


class SetupFailed(CallError):
    """The client cannot be made of what is configured: a malformed URI, a secret that cannot be read."""

    reason = "error"


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the configuration says about one cluster."""

    name: str
    """Its identifier, of the ARN."""
    uri: Callable[[], str] | None = None
    """Reads the connection string; None for the endpoint that AWS has for the identifier."""
    secret: Callable[[], str] | None = None
    """Reads the ARN of a secret of Secrets Manager, or the secret itself: JSON with `username` and `password`."""
    ca_file: str | None = None
    """PEM file of the authorities that signed the server's certificate; None for those of the system."""


async def connection(cluster: Cluster, call: Call) -> tuple[str, dict[str, Any]]:
    """The connection string, and the client's options over it. Raises CallError."""
    options: dict[str, Any] = {} if cluster.ca_file is None else {"tls": True, "tlsCAFile": cluster.ca_file}
    if cluster.secret is not None:
        options |= await _credentials(cluster.secret, call)
    if cluster.uri is None:
        return await _endpoint(cluster.name, call), options
    return _read(cluster.uri), options


async def _endpoint(name: str, call: Call) -> str:
    # the calls of DocumentDB's API are allowed by the actions of RDS
    found = await call("docdb", "describe_db_clusters", DBClusterIdentifier=name)
    try:
        [described] = found["DBClusters"]
        host, port = str(described["Endpoint"]), int(described.get("Port") or 27017)
    except (LookupError, TypeError, ValueError) as error:
        raise SetupFailed(f"DescribeDBClusters names no endpoint of the cluster {name}: {error!r}") from None
    # retryable writes are an option that the service refuses
    return f"mongodb://{quote(host, safe='')}:{port}/?tls=true&replicaSet=rs0&retryWrites=false"


async def _credentials(secret: Callable[[], str], call: Call) -> dict[str, Any]:
    written = _read(secret)
    if written.startswith("arn:"):
        written = str((await call("secretsmanager", "get_secret_value", SecretId=written)).get("SecretString"))
    try:
        found = codec.loads(written.encode())
        return {"username": str(found["username"]), "password": str(found["password"])}
    except (ValueError, LookupError, TypeError):
        raise SetupFailed("the secret is no JSON object with username and password") from None


def _read(value: Callable[[], str]) -> str:
    try:
        return value()
    except ConfigurationError as error:
        raise SetupFailed(str(error)) from error
