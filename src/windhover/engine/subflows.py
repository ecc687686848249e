"""Tasks that start one execution of another flow, and wait for its end."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime

from windhover.engine.agenda import DEADLINE_TIMER
from windhover.engine.batches import BatchSteps, is_batch_task, is_batch_under_way
from windhover.engine.events import ChildEnded, ChildRefused, ChildStarted
from windhover.engine.frame import Node
from windhover.engine.messages import StartChild
from windhover.engine.retries import retry_of
from windhover.expression import ExpressionError
from windhover.model.execution import Attempt
from windhover.model.log import LogLevel
from windhover.model.state import State, StateChange, StateType
from windhover.plugin.executable import ExecutableTask
from windhover.plugin.flowable import soften
from windhover.plugin.problems import InvalidProperties
from windhover.plugin.task import TaskDefinition


class Subflows(BatchSteps):
    """The life of task runs that start an execution."""

    @abstractmethod
    def end_attempt(self, node: Node, state: StateType, at: datetime, *, softened: bool = True) -> None:
        """End the task run, or try it again."""

    def start_child(self, node: Node, task: TaskDefinition) -> None:
        restarted = node.record.state.current is StateType.RESTARTED
        node.record.outcome = None
        try:
            bound = task.bind(self.rendered(node, task))
            assert isinstance(bound, ExecutableTask)
            request = bound.child()
        except (ExpressionError, InvalidProperties, ValueError) as error:
            self.refuse_task(node, error)
            return
        node.record.state.become(StateType.RUNNING, self.now)
        self.changed(node)
        node.record.dispatch += 1
        said = {"taskRunValue": node.record.value, "taskRunIteration": node.record.iteration}
        run_variables = {name: value for name, value in said.items() if value is not None}
        before = (node.record.outputs or {}).get("executionId")
        restarts = before if restarted and request.restart_failed else None
        start = StartChild(node.record.id, task.id, task.type, request, run_variables, restarts)
        self.effects.children_to_start.append(start)

    def child_started(self, event: ChildStarted) -> None:
        node = self.live.nodes.get(event.task_run_id)
        if node is None or node.ended:
            return
        if is_batch_under_way(node):
            self.batch_started(node, event)
            return
        self.live.outputs_changed(node, {"executionId": event.execution_id})
        self.changed(node)
        for warning in event.warnings:
            self.log(LogLevel.WARN, warning, node)
        done = "Restarted execution" if event.restarted else "Created new execution"
        self.log(LogLevel.INFO, f"{done} {event.link}", node)
        if not event.wait:
            node.record.outputs = {"executionId": event.execution_id, "state": StateType.CREATED.value}
            self._add_attempt(node, StateType.SUCCESS)
            self.end(node, StateType.SUCCESS)

    def child_refused(self, event: ChildRefused) -> None:
        node = self.live.nodes.get(event.task_run_id)
        if node is None or node.ended:
            return
        if is_batch_under_way(node):
            self.batch_refused(node, event)
        else:
            if node.record.state.current is StateType.RUNNING:
                node.record.state.take_back()
            self.refuse_task(node, ValueError(event.message))

    def child_ended(self, event: ChildEnded) -> None:
        """Take over the end of the execution that a task waits for."""
        node = self.live.nodes.get(event.task_run_id)
        if node is None or node.ended or event.state is StateType.RETRIED:
            return
        if is_batch_under_way(node):
            self.batch_ended(node, event)
            return
        awaited = (node.record.outputs or {}).get("executionId")
        if awaited not in (event.execution_id, event.replaces):
            return
        node.record.outputs = {"executionId": event.execution_id, "state": event.state.value}
        state: StateType = event.state
        shown: StateType | None = event.state
        ran = True
        try:
            bound = definition_of(node).bind(self.rendered(node, definition_of(node)))
            assert isinstance(bound, ExecutableTask)
            state = bound.end_state(event.state)
            if event.problem is not None:
                raise ValueError(event.problem)
            outputs = event.outputs
            if outputs is None and event.render is not None and (legacy := bound.legacy_outputs()):
                outputs = event.render(legacy)
            if outputs is not None:
                node.record.outputs["outputs"] = outputs
        except (ExpressionError, InvalidProperties, ValueError) as error:
            self.log(LogLevel.ERROR, str(error), node)
            state, ran = StateType.FAILED, False
        if node.record.outcome is StateType.FAILED and not node.frame.tells_to_stop(node):
            state, shown = StateType.FAILED, None  # its time was over, which is why the execution was killed
        node.record.outcome = StateType.FAILED if state is StateType.FAILED else None
        # Its attempt is the task run's own history, softened as that is.
        tried_again = retry_of(self.live, node) is not None
        counts_as = state if tried_again else soften(node.task, state)
        self.tell_end_of_child(node, event, counts_as)
        if shown is counts_as or (ran and shown is StateType.SUCCESS):
            shown = None
        self._add_attempt(node, counts_as, shown, ran=ran)
        if shown is not None:
            node.record.state.become(shown, self.now)
        self.end_attempt(node, state, self.now)

    def end_with_attempt(self, node: Node, state: StateType) -> None:
        self._add_attempt(node, state)
        self.end_attempt(node, state, self.now)

    def _add_attempt(
        self, node: Node, state: StateType, shown: StateType | None = None, *, ran: bool = True
    ) -> None:
        """A task that starts executions has its attempt when the result is there.

        ``shown`` is how the execution ended where that counts as another state.
        It has the task run's own history; with many executions, there is no instant at which it began to run.
        Nor is there if it has not ``ran`` through, but failed with what it made of the end.
        """
        attempt = State(StateType.CREATED, [StateChange(StateType.CREATED, node.record.state.start_date)])
        if ran and not is_batch_task(node):
            attempt.become(StateType.RUNNING, node.record.state.histories[-1].date)
        if ran and shown is not None:
            attempt.become(shown, self.now)
        attempt.become(state, self.now)
        node.record.add_attempt(Attempt(attempt))
        if node.task.timeout is not None:
            self.clear_timer(DEADLINE_TIMER + node.record.id)
        self.changed(node)

    def is_child_under_way(self, node: Node) -> bool:
        outputs = node.record.outputs
        return is_batch_under_way(node) or (
            isinstance(node.task, TaskDefinition)
            and issubclass(node.task.plugin, ExecutableTask)
            and node.record.state.current is StateType.RUNNING
            and outputs is not None
            and "executionId" in outputs
        )


def definition_of(node: Node) -> TaskDefinition:
    assert isinstance(node.task, TaskDefinition), "a flow-control task does no work of its own"
    return node.task
