"""Decides where the demo's functions run: unmodified under the daemon itself, or in the local AWS where that is not
possible.
"""

import importlib.util
import io
import zipfile
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from poller.demo.local_aws import ACCOUNT

FUNCTION = "ship-orders"
COUNTER = "count-"
"""The beginning of the names of the streams' functions; the name of the source follows."""
HANDLERS = {"ship": "ship_orders", "count": "count"}
"""Modules of the functions, in the package beside this one, by the first word of a function's name."""
CODE = "poller.demo.function"
WORKERS = {"ship": 4, "count": 2}
ENTRY = """\
  {name}:
    type: runtime
    handler: {handler}.handler
    code: "{code}"
    concurrency: {workers}
    environment: {{LEDGER: "{ledger}"}}
"""


def run_here() -> bool:
    """Whether the daemon can run them: Lambda's client of the Runtime API is not available for every machine."""
    return importlib.util.find_spec("awslambdaric") is not None


def ledger_of(folder: Path, function: str) -> Path:
    """Return the file in which a function writes down its work."""
    return folder / f"{function}.jsonl"


def entries(names: Iterable[str], folder: Path) -> str:
    """Return the part of the configuration that names the functions. Without it they are Lambda's."""
    if not run_here():
        return ""
    code = Path(str(resources.files(CODE)))
    return "\nfunctions:\n" + "".join(
        ENTRY.format(
            name=name,
            handler=_handler(name),
            code=code,
            workers=WORKERS[_kind(name)],
            ledger=ledger_of(folder, name),
        )
        for name in names
    )


async def deploy(client: Any, names: Iterable[str], folder: Path) -> None:
    """Create the functions in the local AWS, where they do not run here."""
    if run_here():
        return
    for name in names:
        await client.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=f"arn:aws:iam::{ACCOUNT}:role/{name}",
            Handler=f"{_handler(name)}.handler",
            Timeout=30,
            Code={"ZipFile": _archive(_handler(name))},
            Environment={"Variables": {"LEDGER": str(ledger_of(folder, name))}},
        )


def _kind(name: str) -> str:
    return name.partition("-")[0]


def _handler(name: str) -> str:
    return HANDLERS[_kind(name)]


def _archive(handler: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr(f"{handler}.py", resources.files(CODE).joinpath(f"{handler}.py").read_bytes())
    return archive.getvalue()
