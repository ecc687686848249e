"""Tasks that start an execution for each of many pieces, and wait for all of them.

What is to be known of the executions is a number for each state, kept among the outputs: ten thousand
of them cost the task run no more than ten.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from windhover.engine.directories import Directories
from windhover.engine.events import (
    ChildEnded,
    ChildRefused,
    ChildRestarted,
    ChildStarted,
    FailedBatchesFound,
)
from windhover.engine.frame import Node
from windhover.engine.messages import StartChild
from windhover.engine.variables import execution_variables, task_run_variables
from windhover.expression import ExpressionError
from windhover.model.execution import Execution, JsonValue, TaskRun
from windhover.model.log import LogLevel
from windhover.model.state import TERMINATED, StateType
from windhover.plugin.executable import BatchTask
from windhover.plugin.problems import InvalidProperties
from windhover.plugin.task import TaskDefinition

#: The timers that start further executions of a task; the task run's id follows.
BATCH_TIMER = "batches:"

#: How many executions one step starts. The rest comes in later steps, so that no transaction grows large
#: and nothing else has to wait for long.
WINDOW = 100

_LEVELS = {StateType.FAILED: LogLevel.ERROR, StateType.WARNING: LogLevel.WARN}

#: How executions have ended that a restart takes up again.
_RESTARTABLE = (StateType.FAILED, StateType.KILLED)


class BatchSteps(Directories):
    """The life of task runs that start many executions."""

    @abstractmethod
    def rendered(
        self, node: Node, task: TaskDefinition, extra: Mapping[str, JsonValue] | None = None
    ) -> dict[str, JsonValue]:
        """The properties of a task, rendered, with more variables before its own."""

    @abstractmethod
    def refuse_task(self, node: Node, error: Exception) -> None:
        """Fail a task run that the engine cannot carry out."""

    @abstractmethod
    def end_with_attempt(self, node: Node, state: StateType) -> None:
        """End a task run whose attempt is over in this moment, or try it again."""

    def begin_batches(self, node: Node, task: TaskDefinition) -> None:
        record = node.record
        restarted = record.state.current is StateType.RESTARTED
        record.state.become(StateType.RUNNING, self.now)
        record.dispatch += 1
        record.outcome = None
        self.changed(node)
        if restarted and self._can_go_on(node) and _plugin(task).restarts_failed(task.properties):
            self.effects.batches_to_restart.append(record.id)
        else:
            self._begin_all_batches(node, task)

    def _can_go_on(self, node: Node) -> bool:
        """What it has started in this execution needs not be started again.

        Of those that a kill has left alone nothing is known any more.
        """
        outputs = node.record.outputs or {}
        is_ours = outputs.get("subflowOutputsBaseUri") == outputs_folder(self.live.record, node.record)
        return is_ours and _has_more_to_do(node) and not _states(node)[StateType.RUNNING.value]

    def failed_batches_found(self, event: FailedBatchesFound) -> None:
        """Wait for the executions that failed and are restarted now; if some are gone, begin all anew."""
        node = self.live.nodes.get(event.task_run_id)
        if node is None or node.ended or not is_batch_under_way(node):
            return
        if event.count != failed_batches(node):
            self._begin_all_batches(node, _definition(node))
            return
        states = _states(node)
        states[StateType.RUNNING.value] = sum(states.pop(state.value, 0) for state in _RESTARTABLE)
        self.start_more_batches(node.record.id)

    def _begin_all_batches(self, node: Node, task: TaskDefinition) -> None:
        record = node.record
        previous = execution_variables(self.live, self.environment, node).get("previous")
        try:
            count = _plugin(task).batches(previous).count
        except ValueError as error:
            self.log(LogLevel.ERROR, str(error), node)
            self.end_with_attempt(node, StateType.FAILED)
            return
        if count == 0:
            self.end(node, StateType.SUCCESS)
            return
        states = {StateType.CREATED.value: count, StateType.RUNNING.value: 0}
        record.generation += 1
        record.outputs = {
            "numberOfBatches": count,
            "iterations": states,
            "subflowOutputsBaseUri": outputs_folder(self.live.record, record),
        }
        self.start_more_batches(record.id)

    def start_more_batches(self, task_run_id: str) -> None:
        """Start as many of the executions that are left as one step may."""
        node = self.live.nodes.get(task_run_id)
        if node is None or not is_batch_under_way(node) or node.record.outcome is not None:
            return
        task, states = _definition(node), _states(node)
        total, left = (node.record.outputs or {})["numberOfBatches"], states[StateType.CREATED.value]
        variables = execution_variables(self.live, self.environment, node)
        batches = _plugin(task).batches(variables.get("previous"))
        first = total - left
        try:
            starts = [
                self._start_of(node, task, index, batches.uri(index))
                for index in range(first, min(first + WINDOW, total))
            ]
        except (ExpressionError, InvalidProperties, ValueError) as error:
            if first == 0:
                self._fail_unstarted(node, error)
                return
            self.log(LogLevel.ERROR, str(error), node)
            node.record.outcome = StateType.FAILED
        else:
            self.effects.children_to_start += starts
            for _ in starts:
                _move(states, StateType.CREATED, StateType.RUNNING)
        if states[StateType.CREATED.value] and node.record.outcome is None:
            self.effects.timers_set[BATCH_TIMER + node.record.id] = self.now
        self.changed(node)
        self._end_if_done(node)

    def _fail_unstarted(self, node: Node, error: Exception) -> None:
        """Fail a task run of which nothing has begun."""
        node.record.outputs = None
        node.record.state.take_back()
        self.refuse_task(node, error)

    def _start_of(self, node: Node, task: TaskDefinition, index: int, uri: str) -> StartChild:
        place = {"items": uri, "iteration": index}
        task_run = {**task_run_variables(node), **place}
        bound = task.bind(self.rendered(node, task, {"taskrun": task_run}))
        assert isinstance(bound, BatchTask), "only such tasks come here"
        outputs = node.record.outputs or {}
        run_variables: dict[str, JsonValue] = {
            "taskRunOutputs": {
                "numberOfBatches": outputs["numberOfBatches"],
                "uri": f"//{outputs_folder(self.live.record, node.record)}/{index}/outputs.ion",
            },
            "taskRunIteration": index,
        }
        if node.record.value is not None:
            run_variables["taskRunValue"] = node.record.value
        return StartChild(
            node.record.id,
            task.id,
            task.type,
            bound.child(),
            run_variables,
            generation=node.record.generation,
        )

    def batch_started(self, node: Node, event: ChildStarted) -> None:
        for warning in event.warnings:
            self.log(LogLevel.WARN, warning, node)
        self.log(LogLevel.INFO, f"Created new execution {event.link}", node)
        if not event.wait:
            states = _states(node)
            _move(states, StateType.RUNNING, StateType.SUCCESS)
            if not states.get(StateType.CREATED.value):
                states.pop(StateType.CREATED.value, None)
            self.changed(node)
            self._end_if_done(node)

    def batch_refused(self, node: Node, event: ChildRefused) -> None:
        """Start no more, when what one of the executions is given is wrong: it is the flow that is."""
        states = _states(node)
        states[StateType.RUNNING.value] -= event.asked_for
        states[StateType.CREATED.value] += event.asked_for
        if states[StateType.CREATED.value] == (node.record.outputs or {})["numberOfBatches"]:
            self.clear_timer(BATCH_TIMER + node.record.id)
            self._fail_unstarted(node, ValueError(event.message))
            return
        if node.record.outcome is None:
            self.log(LogLevel.ERROR, event.message, node)
            node.record.outcome = StateType.FAILED
        self.changed(node)
        self._end_if_done(node)

    def batch_ended(self, node: Node, event: ChildEnded) -> None:
        """Count an execution that has ended, unless all were begun anew since it was started."""
        if event.generation != node.record.generation:
            return
        task = _definition(node)
        self.tell_end_of_child(node, event, _plugin(task).outcome(task.properties, {event.state: 1}))
        _move(_states(node), StateType.RUNNING, event.state)
        self.changed(node)
        self._end_if_done(node)

    def tell_end_of_child(self, node: Node, event: ChildEnded, counts_as: StateType) -> None:
        """A line on an execution that did not end well: as bad as what it means for the task run."""
        if event.state in (StateType.FAILED, StateType.WARNING):
            level = _LEVELS.get(counts_as, LogLevel.INFO)
            self.log(level, f"Subflow execution {event.link} ends in {event.state.value} state", node)

    def child_restarted(self, event: ChildRestarted) -> None:
        """One of the executions that have ended runs again: its end is to be counted once."""
        node = self.live.nodes.get(event.task_run_id)
        if (
            node is None
            or node.ended
            or not is_batch_under_way(node)
            or event.generation != node.record.generation
            or not _states(node).get(event.was.value)
        ):
            return
        _move(_states(node), event.was, StateType.RUNNING)
        self.log(LogLevel.INFO, f"Restarted execution {event.link} is waited for again", node)
        self.changed(node)
        if node.record.outcome is StateType.KILLED:
            # It would hold up what is to stop.
            self.effects.children_to_kill.append(event.execution_id)

    def stop_batches(self, node: Node, outcome: StateType = StateType.KILLED) -> None:
        """Start no more, and kill the executions that run; the task run ends as ``outcome``."""
        node.record.outcome = outcome
        self.clear_timer(BATCH_TIMER + node.record.id)
        self.effects.batches_to_kill.append(node.record.id)
        self.changed(node)
        self._end_if_done(node)

    def _end_if_done(self, node: Node) -> None:
        states, outcome = _states(node), node.record.outcome
        if states[StateType.RUNNING.value] or (states.get(StateType.CREATED.value) and outcome is None):
            return
        self.clear_timer(BATCH_TIMER + node.record.id)
        if outcome is None:
            task = _definition(node)
            ended = {state: states[state.value] for state in TERMINATED if states.get(state.value)}
            outcome = _plugin(task).outcome(task.properties, ended)
        self.end_with_attempt(node, outcome)


def outputs_folder(execution: Execution, run: TaskRun) -> str:
    """Where Kestra keeps the outputs of the executions that a task run starts: the run's folder.

    Flows may name it. Here nothing lies there: the outputs are read from the executions.
    """
    flow = f"{execution.namespace.replace('.', '/')}/{execution.flow_id.replace('_', '-')}"
    return f"/{flow}/executions/{execution.id}/tasks/{run.task_id.replace('_', '-')}/{run.id}"


def is_batch_task(node: Node) -> bool:
    return isinstance(node.task, TaskDefinition) and issubclass(node.task.plugin, BatchTask)


def is_batch_under_way(node: Node) -> bool:
    """It has started executions, or is about to."""
    return (
        node.record.state.current is StateType.RUNNING
        and is_batch_task(node)
        and "iterations" in (node.record.outputs or {})
    )


def _definition(node: Node) -> TaskDefinition:
    assert isinstance(node.task, TaskDefinition), "a flow-control task starts no executions"
    return node.task


def _plugin(task: TaskDefinition) -> type[BatchTask]:
    assert issubclass(task.plugin, BatchTask), "only such tasks come here"
    return task.plugin


def _states(node: Node) -> dict[str, int]:
    states: dict[str, int] = (node.record.outputs or {})["iterations"]
    return states


def failed_batches(node: Node) -> int:
    """How many of the executions that it had started can be restarted."""
    states: Mapping[str, int] = (node.record.outputs or {}).get("iterations") or {}
    return sum(states.get(state.value, 0) for state in _RESTARTABLE)


def _has_more_to_do(node: Node) -> bool:
    """Some of its executions can be restarted, or were never started, while others have ended well."""
    states: Mapping[str, int] = (node.record.outputs or {}).get("iterations") or {}
    return failed_batches(node) > 0 or states.get(StateType.CREATED.value, 0) > 0


def _move(states: dict[str, int], source: StateType, target: StateType) -> None:
    states[source.value] -= 1
    states[target.value] = states.get(target.value, 0) + 1
