"""An execution in memory: its records, its definition, and the frames that say where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from windhover.engine.frame import Frame, Node, enabled
from windhover.engine.outputs import OutputsTree
from windhover.expression.masking import SecretMask
from windhover.model.execution import Execution, JsonValue, Phase, Stage, TaskRun
from windhover.model.flow import Flow
from windhover.model.state import StateType
from windhover.model.task import Task
from windhover.plugin.flowable import Body, FlowableTask, Lane


class NoPlaceForTaskRun(Exception):
    """A stored task run does not fit into the flow."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"The flow has no place for what ran of task '{task_id}'")


class RevealedInputs(msgspec.Struct, frozen=True):
    """Inputs with SECRET values decrypted, and those values by themselves.

    ``holds_stored``: some are kept in the storage, and have to be loaded when they are read.
    """

    values: Mapping[str, JsonValue]
    secrets: frozenset[str]
    holds_stored: bool


class LiveExecution:
    """The working form of one execution, owned by one executor.

    ``log_sequence`` is the number of the last log line accepted.
    """

    __slots__ = (
        "flow",
        "held_by",
        "ignored_slas",
        "log_sequence",
        "mask",
        "nodes",
        "outputs",
        "record",
        "retrying",
        "revealed",
        "root",
        "runs_of_task",
        "secrets",
        "size",
    )

    def __init__(self, flow: Flow, record: Execution, log_sequence: int = 0) -> None:
        self.flow = flow
        self.record = record
        self.log_sequence = log_sequence
        self.nodes: dict[str, Node] = {}
        self.runs_of_task: dict[str, list[Node]] = {}
        self.outputs = OutputsTree()
        self.root = root_frame(flow, record.listeners)
        #: How many task runs were ever created; gives the next one its place in the list.
        self.size = 0
        #: How many task runs wait for their next attempt.
        self.retrying = 0
        #: The loop for whose next round the execution is PAUSED, with nothing else under way.
        self.held_by: str | None = None
        #: The agreements whose assertions could not be rendered, which has been said.
        self.ignored_slas: set[str] = set()
        #: The inputs as expressions see them, once somebody looked.
        self.revealed: RevealedInputs | None = None
        #: The secrets that rendering here has read.
        self.secrets: set[str] = set()
        self.mask: SecretMask | None = None

    @classmethod
    def restore(
        cls, flow: Flow, record: Execution, task_runs: Iterable[TaskRun], log_sequence: int
    ) -> LiveExecution:
        """Build the working form from stored records (task runs in the order of their positions).

        Raises:
            NoPlaceForTaskRun: the records are of another flow, or of another revision.
        """
        live = cls(flow, record, log_sequence)
        for task_run in task_runs:
            live._restore(task_run)
        live.root.all_restored()
        for node in live.nodes.values():
            if node.body_frame is not None:
                node.body_frame.all_restored()
        live._restore_cuts()
        return live

    def masked(self, text: str) -> str:
        """A text without the secrets that are known of the execution: those read, and SECRET inputs."""
        secrets = self.secrets | self.revealed.secrets if self.revealed is not None else self.secrets
        if not secrets:
            return text
        if self.mask is None:
            self.mask = SecretMask()
        self.mask.cover(secrets)
        return self.mask.apply(text)

    def let_go(self) -> None:
        """Part frames and task runs, which hold one another, once the execution has left memory.

        They are gone then as soon as nobody uses them. The garbage collector would come upon thousands at
        once, and hold everything up meanwhile.
        """
        self.root.nodes = []
        for node in self.nodes.values():
            if node.body_frame is not None:
                node.body_frame.nodes = []
                node.body_frame = None

    def _restore_cuts(self) -> None:
        """Cut again what was cut short, so that nothing new starts there."""
        for node in self.nodes.values():
            if node.record.stage is Stage.EXPIRED and node.body_frame is not None and not node.ended:
                for child in node.body_frame.open.values():
                    if child.body_frame is not None and child.record.phase is Phase.TASKS:
                        _cut_again(child.body_frame, StateType.KILLED, stops=True, finalizes=True)
        end = self.record.ordered_end
        if end is not None:
            _cut_again(self.root, end.state, stops=end.stops, finalizes=end.finalizes)

    def _restore(self, task_run: TaskRun) -> None:
        parent = self.nodes.get(task_run.parent_task_run_id or "")
        frame = self.root if parent is None else parent.body_frame
        try:
            tasks = () if frame is None else frame.tasks(task_run.phase, task_run.lane)
        except LookupError:
            tasks = ()
        position = next((i for i, task in enumerate(tasks) if task.id == task_run.task_id), None)
        if frame is None or position is None:
            raise NoPlaceForTaskRun(task_run.task_id)
        node = self.add(task_run, tasks[position], frame, position)
        if task_run.stage is Stage.HOLDING and not node.ended:
            self.held_by = task_run.id
        if isinstance(node.task, FlowableTask) and has_begun(task_run):
            node.body_frame = flowable_frame(node, node.task.body(task_run.resolved))
        if task_run.outputs is not None:
            self.keep_outputs(node)
        frame.restore(node)

    def add(self, record: TaskRun, task: Task, frame: Frame, position: int) -> Node:
        node = Node(record, task, frame, position)
        frame.nodes.append(node)
        self.nodes[record.id] = node
        self.runs_of_task.setdefault(task.id, []).append(node)
        self.size = max(self.size, record.position + 1)
        return node

    def remove_children(self, owner: Node) -> list[Node]:
        """Forget all that ran inside a flow-control task, with its outputs, and return it."""
        removed = []
        nodes = list(owner.body_frame.nodes) if owner.body_frame is not None else []
        while nodes:
            node = nodes.pop()
            if node.body_frame is not None:
                nodes.extend(node.body_frame.nodes)
            self.remove(node)
            removed.append(node)
        return removed

    def remove(self, node: Node) -> None:
        """Forget one task run and its outputs."""
        task_id = node.record.task_id
        del self.nodes[node.record.id]
        node.frame.open.pop(node.record.id, None)
        runs = self.runs_of_task[task_id]
        runs.remove(node)
        if not runs:
            del self.runs_of_task[task_id]
        self.outputs.remove(task_id, loop_values(node))

    def outputs_changed(self, node: Node, outputs: dict[str, JsonValue]) -> None:
        node.record.outputs = outputs
        self.keep_outputs(node)

    def keep_outputs(self, node: Node) -> None:
        """Make the outputs of a task run readable for expressions."""
        self.outputs.put(node.record.task_id, loop_values(node), node.record.outputs or {})


def _cut_again(frame: Frame, state: StateType, *, stops: bool, finalizes: bool) -> None:
    for child in frame.cut(state, stops=stops, finalizes=finalizes):
        if child.body_frame is not None:
            _cut_again(child.body_frame, state, stops=stops, finalizes=finalizes)


def loop_values(node: Node | None) -> list[str]:
    """The values of the loops around a task run and its own, outermost first."""
    values: list[str] = []
    while node is not None:
        record = node.record
        if record.value is not None:
            # Rounds of their own may have the same value: their number tells them apart.
            values.append(str(record.iteration) if isolates(node) else record.value)
        node = node.frame.owner
    values.reverse()
    return values


def isolates(node: Node) -> bool:
    """It is one round of a loop whose rounds know nothing of one another."""
    return isinstance(node.task, FlowableTask) and node.task.isolates


def has_begun(task_run: TaskRun) -> bool:
    """A flow-control task run shows outputs, at least an empty map, once it has begun."""
    state = task_run.state.current
    return task_run.outputs is not None and not state.is_created and state is not StateType.SKIPPED


def tasks_after_end(flow: Flow, listeners: Sequence[int]) -> tuple[Task, ...]:
    """What runs after the end of an execution: the tasks of these listeners, then `afterExecution`."""
    listening = (task for index in listeners for task in flow.listeners[index].tasks)
    return enabled([*listening, *flow.after_execution])


def root_frame(flow: Flow, listeners: Sequence[int] = ()) -> Frame:
    phases = {
        Phase.ERRORS: enabled(flow.errors),
        Phase.FINALLY: enabled(flow.finally_),
        Phase.AFTER_EXECUTION: tasks_after_end(flow, listeners),
    }
    return Frame(None, Body([Lane(flow.tasks)]), phases)


def flowable_frame(owner: Node, body: Body) -> Frame:
    task = owner.task
    assert isinstance(task, FlowableTask)
    phases = {Phase.ERRORS: enabled(task.errors), Phase.FINALLY: enabled(task.finally_)}
    if body.pause is not None and body.pause.meanwhile is not None:
        phases[Phase.MEANWHILE] = enabled([body.pause.meanwhile])
    return Frame(owner, body, phases)


def ancestors(node: Node) -> Sequence[Node]:
    """The flow-control task runs around a task run, nearest first."""
    found = []
    owner = node.frame.owner
    while owner is not None:
        found.append(owner)
        owner = owner.frame.owner
    return found
