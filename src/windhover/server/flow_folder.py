"""Flows from a folder of YAML files, saved when the server starts."""

from __future__ import annotations

import logging
from pathlib import Path

from windhover.model.problem import FlowInvalid
from windhover.repository.flow_definitions import FlowDefinitions

logger = logging.getLogger(__name__)

_ENDINGS = {".yaml", ".yml"}
DEFAULT_TENANT = "main"


async def load_flows(folder: Path, definitions: FlowDefinitions) -> int:
    """Save every flow below ``folder`` and return how many there were.

    A file that holds no valid flow is reported and left out; the others are saved.

    Raises:
        NotADirectoryError: there is no such folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"The folder of flows {folder} does not exist.")
    await definitions.load()
    count = 0
    for path in sorted(path for path in folder.rglob("*") if path.suffix in _ENDINGS):
        try:
            parsed = definitions.parse(path.read_bytes())
        except FlowInvalid as error:
            logger.error("%s is no valid flow and is left out: %s", path, error)
            continue
        await definitions.save(DEFAULT_TENANT, parsed)
        count += 1
    return count
