"""The inputs that a pause asks of whoever resumes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from windhover.engine.environment import EngineEnvironment
from windhover.engine.inputs import GivenValue, ResolvedInputs, ScopedRenderer, resolve_inputs
from windhover.engine.live import LiveExecution
from windhover.engine.variables import execution_variables
from windhover.model.execution import Execution, TaskRun
from windhover.model.flow import Flow
from windhover.model.inputs import Input
from windhover.model.state import StateType
from windhover.plugin.flowable import CommentRule, FlowableTask


class PauseForm(msgspec.Struct, frozen=True):
    """The task run that waits, and its inputs; None and no inputs when somebody paused by hand."""

    task_run_id: str | None = None
    inputs: tuple[Input, ...] = ()
    #: With which decision a comment is needed; None when the pause asks for no decision.
    comment: CommentRule | None = None


def needs_decision(execution_id: str) -> str:
    """Why an execution cannot just be resumed that waits for somebody to approve or to deny."""
    return f"Execution '{execution_id}' waits for a decision: review it instead of resuming it"


def pause_form(flow: Flow, task_runs: Sequence[TaskRun]) -> PauseForm:
    """What a resume of a paused execution ends: of several pauses the one that began first."""
    for run in task_runs:
        if run.state.current is not StateType.PAUSED:
            continue
        task = flow.task_by_id(run.task_id)
        pause = task.body(run.resolved).pause if isinstance(task, FlowableTask) else None
        if pause is not None:
            return PauseForm(run.id, tuple(pause.inputs), pause.comment)
    return PauseForm()


def resolve_pause_inputs(
    form: PauseForm,
    given: Mapping[str, GivenValue],
    flow: Flow,
    execution: Execution,
    task_runs: Sequence[TaskRun],
    environment: EngineEnvironment,
) -> ResolvedInputs:
    """Type and check what was given. Expressions read what the execution has come to so far.

    They may ask the server: call it off the event loop.
    """
    if not form.inputs and not given:
        return ResolvedInputs({})
    live = LiveExecution.restore(flow, execution, task_runs, 0)
    node = live.nodes[form.task_run_id] if form.task_run_id is not None else None
    variables = dict(execution_variables(live, environment, node, load=environment.load_stored))
    return resolve_inputs(
        form.inputs,
        given,
        ScopedRenderer(variables, lambda found: environment.scope(found, execution.id)),
        workflow=f"{execution.namespace}.{execution.flow_id}",
        encrypt=environment.encrypt,
        around=variables.get("inputs", {}),
    )
