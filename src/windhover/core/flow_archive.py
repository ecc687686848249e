"""Flows as a ZIP archive in the internal storage: what the types that export flows share."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Sequence
from pathlib import Path

from windhover.plugin.context import RunContext, StoredFlow
from windhover.plugin.task import Output


class FlowArchive(Output):
    """What an export gives: the URI of the archive, a YAML file for each flow."""

    flows_zip: str


async def archived(ctx: RunContext, flows: Sequence[StoredFlow]) -> FlowArchive:
    """Put the sources of flows into an archive."""
    path = ctx.working_directory / "flows.zip"
    await asyncio.to_thread(_zip, path, flows)
    return FlowArchive(flows_zip=await ctx.files.put(path, path.name))


def _zip(path: Path, flows: Sequence[StoredFlow]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for flow in flows:
            archive.writestr(f"{flow.namespace}-{flow.id}.yml", flow.source)
