"""What a server that died has left on its host, removed when it starts again."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

from windhover.core.runner.process_tree import DEFAULT_GRACE, HOME_VARIABLE, end_processes


def sweep_orphans(home_id: str, temporary: Path | None = None, grace: timedelta = DEFAULT_GRACE) -> int:
    """End processes that tasks of a former life of this server started; return how many there were.

    Their tasks are handed out again, so they must not go on beside the new run. With ``temporary``, the
    working directories in it are removed as well. Call this before the worker starts, and outside the
    event loop: it blocks up to ``grace``.
    """
    ended = end_processes({HOME_VARIABLE: home_id}, grace)
    if temporary is not None and temporary.is_dir():
        for left in temporary.iterdir():
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
    return ended
