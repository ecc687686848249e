"""What expression functions reach on the executor: conditions, loop values, outputs of flows.

Documentation page: ``docs/expressions.md``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

import msgspec

from windhover.expression import EvaluationError
from windhover.repository.database import Database
from windhover.repository.errors import RepositoryError, RepositoryUnavailable
from windhover.server.expression_port import ExpressionSources, JobExpressionPort
from windhover.server.side_loop import SideLoop

logger = logging.getLogger(__name__)

#: How long the executor stands still for an answer at most.
ANSWER_SECONDS = 2.0
#: The largest file that a condition may read: it holds up all executions.
READ_LIMIT = 1024 * 1024


class ScopePlace(msgspec.Struct, frozen=True):
    """The execution whose variables an expression reads; they say where it belongs."""

    variables: Mapping[str, object]
    execution_id: str
    tenant_id: str

    @property
    def namespace(self) -> str:
        return self._of_flow("namespace")

    @property
    def flow_id(self) -> str:
        return self._of_flow("id")

    def _of_flow(self, name: str) -> str:
        flow = self.variables.get("flow")
        value = flow.get(name) if isinstance(flow, Mapping) else None
        if not isinstance(value, str):
            raise EvaluationError("The expression is of no flow, so there is no namespace to look into")
        return value


class ExecutorAnswers:
    """Makes ports for expressions on the executor. Its connection is opened when one first asks."""

    def __init__(
        self, database: Database, tenant_id: str, sources: Callable[[Database], ExpressionSources]
    ) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._make_sources = sources
        self._loop = SideLoop(ANSWER_SECONDS)
        self._own: Database | None = None
        self._sources: ExpressionSources | None = None
        self._opening = threading.Lock()

    def port(self, variables: Mapping[str, object], execution_id: str) -> JobExpressionPort:
        """What the expressions over these variables reach."""
        place = ScopePlace(variables, execution_id, self._tenant_id)
        return JobExpressionPort(place, self._opened, self._loop.wait, variables, read_limit=READ_LIMIT)

    def prepare(self) -> None:
        """Connect beforehand where that takes long, so that no condition has to wait for it. For a thread."""
        if self._database.for_other_loop() is self._database:
            return
        try:
            self._opened()
        except (EvaluationError, RepositoryUnavailable, RepositoryError) as error:
            logger.warning("The executor cannot ask the database yet; it tries again when it must: %s", error)

    def close(self) -> None:
        """End the thread and its connection, if there ever was one."""
        own = self._own
        if own is not None and own is not self._database:
            self._loop.close(own.close)
        else:
            self._loop.close(_nothing)

    def _opened(self) -> ExpressionSources:
        if self._sources is None:
            with self._opening:
                self._sources = self._sources or self._open()
        return self._sources

    def _open(self) -> ExpressionSources:
        own = self._database.for_other_loop()
        if own is not self._database:
            self._loop.wait(own.open())
        self._own = own
        return self._make_sources(own)


async def _nothing() -> None:
    return
