"""Importing what searches need, when it is needed: a server that only runs flows never does."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module

_MODULE = "windhover.repository.execution_search"


async def load_search() -> None:
    """Import SQLAlchemy and what is built on it, in a thread, so that the event loop goes on meanwhile.

    It takes half a second. Searches do it by themselves; a server that expects them may do it before.
    """
    if _MODULE not in sys.modules:
        await asyncio.to_thread(import_module, _MODULE)
