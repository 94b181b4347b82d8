"""Which function a path names: a name, a partial or a full ARN, each with or without a qualifier."""

from dataclasses import dataclass

from poller.daemon.api.lambda_api.errors import LambdaError
from poller.daemon.api.lambda_api.operation import Call
from poller.ports.invoker import Hosted, Invoker

LATEST = "$LATEST"
"""The one version of a function here, unless its entry names a qualifier of a function at Lambda."""
LONGEST_NAME = 256


@dataclass(frozen=True, slots=True)
class Named:
    """A function that is there, as the caller named it."""

    hosted: Hosted
    qualifier: str | None

    @property
    def arn(self) -> str:
        """With the caller's qualifier, as Lambda answers."""
        bare = ":".join(self.hosted.arn.split(":")[:7])
        return bare if self.qualifier is None else f"{bare}:{self.qualifier}"


def named(invoker: Invoker, call: Call) -> Named:
    """The function of a call. Raises LambdaError."""
    given = call.parts["FunctionName"]
    if not given or len(given) > LONGEST_NAME:
        text = (
            f"1 validation error detected: Value '{given[:LONGEST_NAME]}' at 'functionName' failed to satisfy "
            f"constraint: Member must have length less than or equal to {LONGEST_NAME}"
        )
        raise LambdaError("ValidationException", text)
    name, own = _taken_apart(given)
    asked = call.query.get("Qualifier") or None
    if own is not None and asked is not None and own != asked:
        text = "The derived qualifier from the function name does not match the specified qualifier."
        raise LambdaError("InvalidParameterValueException", text)
    qualifier = own or asked
    hosted = find(invoker, given)
    if hosted is None:
        raise LambdaError("ResourceNotFoundException", f"Function not found: {_shown(given, name, qualifier, call)}")
    configured = hosted.arn.split(":")[7] if hosted.arn.count(":") >= 7 else None
    if qualifier not in (None, LATEST, configured):
        text = f"Function not found: {Named(hosted, qualifier).arn}"
        raise LambdaError("ResourceNotFoundException", text)
    return Named(hosted, qualifier)


def find(invoker: Invoker, given: str) -> Hosted | None:
    """The function of a name or an ARN, whatever its qualifier."""
    return invoker.find(given) or invoker.find(_taken_apart(given)[0])


def _taken_apart(given: str) -> tuple[str, str | None]:
    """Name and qualifier."""
    parts = given.split(":")
    if "function" in parts[:6]:
        parts = parts[parts.index("function") + 1 :]
    name, *rest = parts or [given]
    return name, rest[0] if rest else None


def _shown(given: str, name: str, qualifier: str | None, call: Call) -> str:
    if given.startswith("arn:"):
        return given
    suffix = f":{qualifier}" if qualifier else ""
    return f"arn:aws:lambda:{call.region or 'us-east-1'}:000000000000:function:{name}{suffix}"
