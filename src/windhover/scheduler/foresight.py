"""Reading flows shortly before their triggers are due, so that many of one second start without delay."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from windhover.repository.errors import RepositoryUnavailable
from windhover.repository.flow_definitions import FlowNotFound, FlowUnreadable
from windhover.repository.triggers import TriggerRepository
from windhover.scheduler.latest_flows import LatestFlows

logger = logging.getLogger(__name__)

#: How far ahead is looked, and how often; one that is due sooner after the start is read when it is due.
_AHEAD = timedelta(seconds=60)
_PAUSE_SECONDS = 15.0

#: Flows that are kept ready at most: fewer than stay parsed.
_FLOWS = 1000


class Foresight:
    """Keeps the flows parsed whose triggers are due within a minute."""

    def __init__(
        self, triggers: TriggerRepository, flows: LatestFlows, clock: Callable[[], datetime]
    ) -> None:
        self._triggers = triggers
        self._flows = flows
        self._clock = clock

    async def run(self) -> None:
        """Look ahead until cancelled. Without it everything works, only later."""
        while True:
            try:
                await self.look()
            except RepositoryUnavailable as error:
                logger.debug("Flows are not read ahead: %s", error)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def look(self) -> None:
        """Parse what is needed soon, one flow at a time, so that whatever else is due comes between."""
        now = self._clock()
        for flow, revision in await self._triggers.flows_due(now, now + _AHEAD, _FLOWS):
            try:
                await self._flows.get_revision(*flow, revision)
            except (FlowNotFound, FlowUnreadable):
                # Its triggers say so themselves when they are due.
                continue
            await asyncio.sleep(0)
