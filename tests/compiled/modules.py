"""Which modules are compiled, as `pyproject.toml` lists them."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def compiled_modules() -> list[str]:
    """Their paths from the project's folder."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    modules: list[str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["modules"]
    return modules
