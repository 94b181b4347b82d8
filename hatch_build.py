"""Compiles the modules of the data plane into the wheel, with mypyc, where `POLLER_COMPILE` is set.

Without a C compiler the wheel is pure Python, which works the same and only costs more CPU: that is said, and ends no
build.
"""

import os
import shutil
import sys
import sysconfig
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "POLLER_COMPILE"
NEEDED = "mypy[mypyc]==2.4.1"
"""Pinned, because another version compiles to other code than was tested. It brings setuptools."""


class CompiledModules(BuildHookInterface):
    """Takes part in a build of a wheel; not of the source archive, nor in an editable installation."""

    def dependencies(self) -> list[str]:
        """What is installed for the build."""
        return [NEEDED] if os.environ.get(VARIABLE) and _missing() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and have the wheel hold what was compiled beside its source."""
        if not os.environ.get(VARIABLE) or version != "standard":
            return
        self._folder = TemporaryDirectory(prefix="poller-build-")
        problem = _missing() or self._compile(Path(self._folder.name), build_data)
        if problem is not None:
            self.app.display_warning(f"{VARIABLE} is set, but this wheel is pure Python: {problem}")

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove what the wheel holds by now."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()

    def _compile(self, folder: Path, build_data: dict[str, Any]) -> str | None:
        """Return what prevents it, if something does."""
        try:
            from mypyc.build import mypycify  # noqa: PLC0415  (there only where it was asked for)
            from setuptools import Distribution  # noqa: PLC0415
            from setuptools.command.build_ext import build_ext  # noqa: PLC0415
            from setuptools.errors import CompileError  # noqa: PLC0415
        except ImportError as error:
            return f"{error}; it comes with {NEEDED}"
        with chdir(self.root):
            # packages that the modules import need not be there: mypyc uses whatever they give as any Python object
            extensions = mypycify(
                [
                    "--config-file=",
                    "--ignore-missing-imports",
                    "--follow-imports=silent",
                    "--no-site-packages",
                    *self.config["modules"],
                ],
                opt_level="3",
                debug_level="0",
                group_name="poller",
                target_dir=str(folder / "c"),
                multi_file=True,
            )
        command = build_ext(Distribution({"name": "poller", "ext_modules": extensions}))
        command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "objects")
        command.parallel = os.cpu_count()
        command.ensure_finalized()
        try:
            command.run()
        except CompileError as error:
            return f"the C compiler failed: {error}"
        for path in (folder / "lib").rglob("*" + sysconfig.get_config_var("EXT_SUFFIX")):
            build_data["force_include"][str(path)] = path.relative_to(folder / "lib").as_posix()
        build_data["pure_python"], build_data["infer_tag"] = False, True
        return None


def _missing() -> str | None:
    """Say what this machine lacks."""
    if sys.implementation.name != "cpython":
        return f"mypyc compiles for CPython, and this is {sys.implementation.name}"
    compiler = sysconfig.get_config_var("CC")
    if not compiler or shutil.which(compiler.split()[0]) is None:
        return f"the C compiler {compiler or ''} is not installed (on Debian: apt-get install gcc libc6-dev)"
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.is_file():
        return f"{header} does not exist (on Debian: apt-get install python3-dev)"
    return None
