"""The page: what stands before the tables, and the tables in their order."""

from collections.abc import Iterable
from pathlib import Path

from poller.configuration.model.mapping_keys import WrittenMapping
from poller.configuration.model.settings import Settings
from poller.configuration.model.taken_parameters import AWS_PARAMETERS, REFUSED, takes
from poller.functions.keys import WrittenFunction
from poller.functions.types import MODELS
from poller.sources.kinds import KINDS
from tests.reference.rows import COMMON, Row, rows

PATH = Path(__file__).parents[2] / "config/README.md"

HEAD = """# Configuration

<!-- Written by `python -m tests.reference` from the models that read the configuration; a test holds it to them. -->

This page lists every key. [poller.yaml](poller.yaml) shows them in use, and the files beside it are complete small
examples. `poller check` reports all problems of a file at once, with line and key. No key is accepted and then ignored.

- **Files** are YAML, TOML or JSON. `--config` takes a file or a directory and may be repeated; without it
  `$POLLER_CONFIG`, or `./poller.yaml`, or `/etc/poller/poller.yaml` and `/etc/poller/conf.d/` are read. In a directory,
  all `*.yaml`, `*.yml`, `*.toml` and `*.json` files are read; the same setting, function or mapping twice is an error.
  `./poller.yaml` and `./.env` are refused if a user other than you or root owns them, or if everybody may write to them.
- **An empty configuration**, without any mapping, is refused by `run`, `check` and a reload unless you pass
  `--allow-empty`.
- **Numbers** are written in digits. Values that YAML reads otherwise than people do are refused, and the report names
  the value to write: `010` (8), `1:30` (90), `1_000`; and `no`, `on`, `yes` in place of text.
- **Precedence** of the process's settings: command line, environment, `.env`, directory of secrets
  (`$POLLER_SECRETS_DIR` or `$CREDENTIALS_DIRECTORY`), later file, earlier file, default. A variable is `POLLER_` and the
  key, with `__` between levels: `POLLER_API__LISTEN`.
- **Spelling**: snake_case, or PascalCase as AWS writes it (`BatchSize`), but not both for one key.
- **Secrets**: any text may be `{env: NAME}` or `{file: PATH}`. Values of type *secret* below are read again at each use,
  and never shown. Relative paths are relative to the file in which they stand.
- **Editors** complete and check a file by its JSON Schema. `poller schema --output poller.schema.json` writes it; editors
  with the YAML language server (VS Code, Neovim, Helix, Emacs) find it by the file's first line,
  `# yaml-language-server: $schema=poller.schema.json`; other editors by a key `$schema` at the top level, which poller
  ignores. The schema checks each key for itself; `poller check` also checks
  keys against each other.
- **Sizes** are bytes, or have a unit: B, kB, KiB, MB, MiB, GB, GiB.
"""
FUNCTIONS = """`functions.NAME`, where NAME is the `function_name` of a mapping. A Lambda function needs an entry only to change a
default. Every type has these keys; what a type says anew below holds for it:
"""
COLUMNS = "| key | type | default | description |\n|---|---|---|---|"
COLUMNS_OF_MAPPINGS = "| key | for | type | default | description |\n|---|---|---|---|---|"


def page() -> str:
    """The whole of it."""
    own = [name for name in WrittenMapping.model_fields if name not in AWS_PARAMETERS]
    return "\n".join(
        [
            HEAD,
            "## The process\n",
            table(COLUMNS, map(str, rows(Settings))),
            "## functions\n",
            FUNCTIONS,
            table(COLUMNS, (str(row) for row in rows(WrittenFunction))),
            *(part for kind in MODELS for part in function(kind)),
            "## event_source_mappings\n",
            "A list. Parameters of `CreateEventSourceMapping`, with AWS's names, ranges and defaults:\n",
            table(COLUMNS_OF_MAPPINGS, mapping_rows(AWS_PARAMETERS)),
            "Additions of poller; none changes what Lambda would do unless it is set:\n",
            table(COLUMNS_OF_MAPPINGS, mapping_rows(own)),
            "Parameters that no source here takes, and which are refused:\n",
            table("| key | why |\n|---|---|", (f"| `{name}` | {why} |" for name, why in REFUSED.items())),
        ]
    )


def table(head: str, lines: Iterable[str]) -> str:
    return "\n".join([head, *lines, ""])


def function(kind: str) -> list[str]:
    declared = vars(MODELS[kind]).get("__annotations__", {})
    shared = [name for name in COMMON if name not in declared]
    found = list(rows(MODELS[kind], leave_out=(*shared, "type")))
    return [f"`type: {kind}`\n", table(COLUMNS, map(str, found))]


def mapping_rows(names: Iterable[str]) -> Iterable[str]:
    wanted = set(names)
    for row in rows(WrittenMapping):
        top = row.key.split(".")[0]
        if top in wanted:
            yield with_sources(row, top)


def with_sources(row: Row, top: str) -> str:
    named = [kind.column for kind in KINDS.values() if takes(kind, top)]
    shown = "all" if len(named) == len(KINDS) else ", ".join(named)
    return f"| `{row.key}` | {shown} | {row.kind} | {row.default} | {row.text} |"
