"""What Python tasks add to script tasks: packages, installed once and kept."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from enum import StrEnum

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover_scripts.python.environments import python_environment
from windhover_scripts.script_task import ScriptTask


class PackageManager(StrEnum):
    """What installs packages; UV falls back to PIP where uv is not installed."""

    PIP = "PIP"
    UV = "UV"


class PythonTask(ScriptTask):
    """Base class of Python tasks."""

    dependencies: list[str] = Field([], description="Packages to install, such as `pandas>=2`.")
    python_version: str | None = Field(
        None, description="Version of Python for the packages; it needs uv. None: that of the host."
    )
    dependency_cache_enabled: bool = Field(
        True, description="Keep the installed packages for other runs that need just the same."
    )
    package_manager: PackageManager = Field(PackageManager.UV, description="What installs the packages.")
    uv_auto_install_enabled: bool = Field(True, description="Accepted; uv itself is not installed.")
    uv_installer_version: str | None = Field(None, description="Accepted; uv itself is not installed.")
    uv_installer_sha256: str | None = Field(None, description="Accepted; uv itself is not installed.")

    async def prepare_environment(self, ctx: RunContext) -> Mapping[str, str]:
        if not self.dependencies:
            return {}
        folder = await python_environment(
            ctx,
            self.dependencies,
            version=self.python_version,
            prefer_uv=self.package_manager is PackageManager.UV,
            keep=self.dependency_cache_enabled,
        )
        path = os.pathsep.join([str(folder / "bin"), os.environ.get("PATH", os.defpath)])
        return {"VIRTUAL_ENV": str(folder), "PATH": path}

    def interpreter_command(self) -> str:
        """The word that starts Python in the shell."""
        if self.dependencies:
            return "python"
        return next(
            (name for name in ("python", "python3") if shutil.which(name)), shlex.quote(sys.executable)
        )
