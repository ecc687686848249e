"""``io.kestra.plugin.kestra.executions.Query``"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from windhover.core.kestra.server_task import ServerTask
from windhover.model.execution import Execution, JsonValue
from windhover.model.state import StateType
from windhover.plugin.context import ExecutionSelection, RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.records import RecordFile
from windhover.plugin.task import Output, TaskFailure
from windhover.plugin.types import DateTime, Duration
from windhover.util.instants import instant_text


class QueryOutput(Output):
    """What a Query task gives: the executions found, and how many; where depends on ``fetchType``."""

    row: dict[str, JsonValue] | None = None
    rows: list[dict[str, JsonValue]] | None = None
    size: int | None = None
    uri: str | None = None


class Query(ServerTask[QueryOutput]):
    """Look for executions, the newest first."""

    type_name = "io.kestra.plugin.kestra.executions.Query"
    examples = (
        Example(
            title="What failed in the last ten hours, as an output",
            code="""
namespace: company
states: [FAILED]
timeRange: PT10H
fetchType: FETCH
""",
        ),
    )

    namespace: Annotated[str | None, Field(description="Without `flowId`, those below it, too.")] = None
    flow_id: Annotated[str | None, Field(description="Only executions of this flow.")] = None
    flow_scopes: Annotated[
        list[Literal["USER", "SYSTEM"]] | None,
        Field(description="Only executions of system flows, or of all others."),
    ] = None
    states: Annotated[list[StateType] | None, Field(description="Only these states; all if not set.")] = None
    labels: Annotated[dict[str, str] | None, Field(description="Only executions with all these labels.")] = (
        None
    )
    start_date: Annotated[DateTime | None, Field(description="Only executions started then or later.")] = None
    end_date: Annotated[DateTime | None, Field(description="Only executions started before that.")] = None
    time_range: Annotated[
        Duration | None, Field(description="Only executions started within this time; not with `startDate`.")
    ] = None
    trigger_execution_id: Annotated[
        str | None, Field(description="Only executions that this execution has started.")
    ] = None
    child_filter: Annotated[
        Literal["CHILD", "MAIN"] | None,
        Field(description="Only executions that another one has started, or all others."),
    ] = None
    page: Annotated[int | None, Field(ge=1, description="One page, counted from 1; all if not set.")] = None
    size: Annotated[int, Field(ge=1, description="How many executions a page has.")] = 10
    fetch_type: Annotated[
        Literal["STORE", "FETCH", "FETCH_ONE", "NONE"],
        Field(description="Where they go: a file (`uri`), the outputs `rows` or `row`, or nowhere."),
    ] = "STORE"

    async def act(self, ctx: RunContext) -> QueryOutput:
        rows = self._rows(ctx)
        match self.fetch_type:
            case "STORE":
                file = RecordFile(ctx, "executions.ion")
                async for row in rows:
                    file.append(row)
                return QueryOutput(uri=await file.store(), size=file.count)
            case "FETCH":
                found = [row async for row in rows]
                return QueryOutput(rows=found, size=len(found))
            case "FETCH_ONE":
                async for row in rows:
                    return QueryOutput(row=row, size=1)
                return QueryOutput(size=0)
            case "NONE":
                return QueryOutput()

    async def _rows(self, ctx: RunContext) -> AsyncIterator[dict[str, JsonValue]]:
        page = 1 if self.fetch_type == "FETCH_ONE" and self.page is None else self.page
        size = 1 if self.fetch_type == "FETCH_ONE" else self.size
        async for execution in ctx.server.executions.find(self._selection(ctx), page=page, size=size):
            yield execution_row(execution)

    def _selection(self, ctx: RunContext) -> ExecutionSelection:
        scopes = set(self.flow_scopes or ())
        return ExecutionSelection(
            namespace=self.namespace,
            flow_id=self.flow_id,
            states=self.states or (),
            since=self._since(ctx),
            until=self.end_date,
            labels=self.labels or {},
            triggered_by=self.trigger_execution_id,
            children=None if self.child_filter is None else self.child_filter == "CHILD",
            system="SYSTEM" in scopes if len(scopes) == 1 else None,
        )

    def _since(self, ctx: RunContext) -> datetime | None:
        if self.time_range is None:
            return self.start_date
        if self.start_date is not None:
            raise TaskFailure("`startDate` and `timeRange` cannot be set together")
        return ctx.now() - self.time_range


def execution_row(execution: Execution) -> dict[str, JsonValue]:
    """An execution as the API shows it in lists: without its task runs."""
    state = execution.state
    shown: dict[str, JsonValue] = {
        "id": execution.id,
        "namespace": execution.namespace,
        "flowId": execution.flow_id,
        "flowRevision": execution.flow_revision,
        "state": {
            "current": state.current.value,
            "startDate": instant_text(state.start_date),
            "endDate": None if state.end_date is None else instant_text(state.end_date),
            "duration": state.duration,
        },
        "labels": [{"key": label.key, "value": label.value} for label in execution.labels],
        "inputs": execution.inputs,
        "outputs": execution.outputs,
        "parentId": execution.parent_id,
        "originalId": execution.original_id,
        "kind": execution.kind,
        "trigger": None
        if execution.trigger is None
        else {
            "id": execution.trigger.id,
            "type": execution.trigger.type,
            "variables": execution.trigger.variables,
        },
    }
    return {name: value for name, value in shown.items() if value is not None}
