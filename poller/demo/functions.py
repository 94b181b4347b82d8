"""Where the demo's functions run: unmodified under the daemon itself, or in the local AWS where that cannot be."""

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
"""Functions of the streams: followed by the name of what they count."""
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
    """Whether the daemon can run them: there is no package of Lambda's client of the Runtime API for every machine."""
    return importlib.util.find_spec("awslambdaric") is not None


def ledger_of(folder: Path, function: str) -> Path:
    """Return where a function writes down what it did."""
    return folder / f"{function}.jsonl"


def entries(names: Iterable[str], folder: Path) -> str:
    """Return the part of the configuration that names them; without it, they are Lambda's."""
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
    """Give them to the local AWS, where they are not run here."""
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
