"""Trying a change again when another one came in between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

#: Of many writers of one row one succeeds in each round, so there must be more rounds than writers.
_ATTEMPTS = 200
_LONGEST_PAUSE = 0.2


async def attempts() -> AsyncIterator[int]:
    """The numbers of the tries, from 0; before each further one a random pause that grows with them."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            await asyncio.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.002 * 2**attempt)))
        yield attempt
