"""Executions that other executions bring about: subflows, and new tries in the place of failed ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import cast

from windhover.engine.creation import FlowInputRenderer, new_execution
from windhover.engine.environment import EngineEnvironment
from windhover.engine.events import ChildEnded
from windhover.engine.flow_outputs import FlowOutputError, resolve_outputs
from windhover.engine.inputs import resolve_inputs
from windhover.engine.live import LiveExecution
from windhover.engine.messages import StartChild
from windhover.engine.rendering import Renderer
from windhover.engine.replay import REPLAYED_LABEL
from windhover.executor.recursion import Recursions, is_recursive, lineage
from windhover.model.execution import (
    AwaitedBy,
    Execution,
    ExecutionTrigger,
    JsonValue,
    Label,
)
from windhover.model.flow import Flow
from windhover.model.labels import SYSTEM_PREFIX
from windhover.model.state import StateType
from windhover.plugin.executable import ChildRequest
from windhover.repository.flow_definitions import FlowDefinitions, FlowNotFound, FlowUnreadable

#: How many executions may wait for one another in a chain.
MAX_NESTING = 100


#: An execution that takes this long to start another one, or wants it this much later, is no link of a chain
#: that has run out of control.
UNHURRIED = timedelta(seconds=10)


#: An execution with its flow, and warnings about its inputs.
MadeChild = tuple[Flow, Execution, list[str]]


class ChildRefusedError(Exception):
    """The execution cannot be started; the message is for the author of the flow that asked."""


class ChildFactory:
    """Makes executions on behalf of others."""

    def __init__(
        self, definitions: FlowDefinitions, environment: EngineEnvironment, clock: Callable[[], datetime]
    ) -> None:
        self._definitions = definitions
        self._environment = environment
        self._clock = clock
        self._recursions = Recursions(environment.most_recursive)

    async def make(self, parent: Execution, start: StartChild) -> MadeChild:
        """The execution that a task run asks for, and warnings about its inputs.

        Raises:
            ChildRefusedError: there is no such flow, it is disabled, or its inputs are wrong.
        """
        request = start.request
        try:
            flow = await self._definitions.get(
                parent.tenant_id, request.namespace, request.flow_id, request.revision
            )
        except FlowNotFound as error:
            which = "`namespace` and `flowId`" if request.revision is None else "`revision`"
            hint = f"Save the flow first, or correct {which} of the task"
            raise ChildRefusedError(f"{error}. {hint}") from None
        except FlowUnreadable as error:
            raise ChildRefusedError(str(error)) from None
        if flow.disabled:
            raise ChildRefusedError(
                f"Cannot execute a flow which is disabled: '{flow.namespace}'.'{flow.id}'. "
                "Enable it, or disable the task that starts it"
            )
        if request.wait and parent.nesting >= MAX_NESTING:
            raise ChildRefusedError(
                f"Cannot execute '{flow.namespace}'.'{flow.id}' as a subflow: {MAX_NESTING} executions wait "
                "for one another already. Does a flow start itself, with no condition that ends it?"
            )
        execution_id, now = self._environment.new_id(), self._clock()
        chain = self._next_of_chain(parent, request, now)
        self._count_recursion(parent, request, now)
        labels = _labels(parent, flow, request)
        resolved = resolve_inputs(
            flow.inputs,
            cast("dict[str, JsonValue]", request.inputs),
            FlowInputRenderer(self._environment, flow, execution_id, labels=labels, start=now),
            workflow=f"{flow.namespace}.{flow.id}",
            encrypt=self._environment.encrypt,
        )
        if resolved.problems:
            raise ChildRefusedError("\n".join(problem.message for problem in resolved.problems))
        execution = new_execution(
            flow,
            resolved.values,
            execution_id,
            now,
            labels=labels,
            schedule_date=request.schedule_date,
            kind=parent.kind,
        )
        execution.flow_triggers, execution.chain = parent.flow_triggers, chain
        execution.lineage = lineage(parent)
        execution.trigger = ExecutionTrigger(start.task_id, start.task_type, _variables(parent, start))
        if request.wait:
            execution.nesting = parent.nesting + 1
            execution.awaited_by = AwaitedBy(parent.id, start.task_run_id, start.generation)
        return flow, execution, resolved.warnings

    def _next_of_chain(self, parent: Execution, request: ChildRequest, now: datetime) -> int:
        """How many executions in quick succession led to the one that is asked for.

        Raises:
            ChildRefusedError: more than may be.
        """
        begins = max(now, request.schedule_date or now)
        if begins - parent.state.start_date >= UNHURRIED:
            return 0
        longest = self._environment.longest_chain
        if parent.chain >= longest:
            wanted = f"'{request.namespace}'.'{request.flow_id}'"
            raise ChildRefusedError(
                f"Cannot execute {wanted} as a subflow: {longest} executions have started one another in "
                f"quick succession, the last by {_starters(parent)}. Do these flows start each other, with "
                "no condition that ends it? `windhover.subflows.longest-chain` is how many may"
            )
        return parent.chain + 1

    def _count_recursion(self, parent: Execution, request: ChildRequest, now: datetime) -> None:
        """Bound what comes of flows that start themselves more than once.

        Raises:
            ChildRefusedError: there are too many already.
        """
        if not is_recursive(parent, request.namespace, request.flow_id):
            return
        if not self._recursions.take(parent, now):
            raise ChildRefusedError(
                f"Cannot execute '{request.namespace}'.'{request.flow_id}' as a subflow: executions of this "
                f"flow have started {self._environment.most_recursive} of it already, directly or through "
                "others. Does it start itself more than once, with no condition that ends it? "
                "`windhover.subflows.most-recursive` is how many may"
            )


def _starters(parent: Execution) -> str:
    """The flows by which an execution is about to be started, as far as it is known, the first one first."""
    names = [f"'{parent.namespace}'.'{parent.flow_id}'"]
    before = parent.trigger.variables if parent.trigger is not None else {}
    if "flowId" in before:
        names.insert(0, f"'{before.get('namespace')}'.'{before['flowId']}'")
    return " and then ".join(names)


def link(execution: Execution) -> str:
    """How log lines name an execution; the UI makes a link of it."""
    return execution_link(execution.id, execution.flow_id, execution.namespace)


def execution_link(execution_id: str, flow_id: str, namespace: str) -> str:
    """As :func:`link`, of an execution of which no more is known."""
    return f'[[link execution="{execution_id}" flowId="{flow_id}" namespace="{namespace}"]]'


def child_ended(live: LiveExecution, awaited_by: AwaitedBy, environment: EngineEnvironment) -> ChildEnded:
    """What the task run that waits for an execution is told at its end.

    It has the outputs of the flow however the execution has ended, by an `Exit` too. Where they cannot be had
    it fails; what was killed was just killed.
    """
    execution = live.record
    outputs, problem = execution.outputs, None
    if outputs is None and live.flow.outputs:
        try:
            outputs = resolve_outputs(
                live.flow.outputs,
                Renderer(live, environment),
                encrypt=environment.encrypt,
                maximum=environment.max_flow_outputs,
            ).values
        except FlowOutputError as error:
            problem = None if execution.state.current is StateType.KILLED else str(error)
    return ChildEnded(
        task_run_id=awaited_by.task_run_id,
        execution_id=execution.id,
        state=execution.state.current,
        link=link(execution),
        outputs=outputs,
        problem=problem,
        replaces=execution.original_id,
        render=None if live.flow.outputs else Renderer(live, environment).evaluate,
        generation=awaited_by.generation,
    )


def started_by(execution: Execution) -> str | None:
    """The id of the execution that started this one, if one did."""
    found = execution.trigger.variables.get("executionId") if execution.trigger is not None else None
    return found if isinstance(found, str) else None


def _labels(parent: Execution, flow: Flow, request: ChildRequest) -> list[Label]:
    """What is added to the labels of the child's own flow: the parent's, then those that were asked for.

    Those that the server has set tell of the whole line of executions, but for the one that says that others
    are replays of this one.
    """
    own = {label.key for label in flow.labels}
    inherited = [
        label
        for label in parent.labels
        if (label.key.startswith(SYSTEM_PREFIX) and label.key != REPLAYED_LABEL.key)
        or (request.inherit_labels and label.key not in own)
    ]
    return [*inherited, *request.labels]


def _variables(parent: Execution, start: StartChild) -> dict[str, JsonValue]:
    return {
        "executionId": parent.id,
        "namespace": parent.namespace,
        "flowId": parent.flow_id,
        "flowRevision": parent.flow_revision,
        "taskId": start.task_id,
        "taskRunId": start.task_run_id,
        **start.run_variables,
    }
