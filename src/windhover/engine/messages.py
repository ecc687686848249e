"""What executor and worker say to each other, and what the web server asks of the executor.

*Events* report what happened to a task run; *commands* ask for something and are answered once the
change is committed; a *job* is one attempt of one task run, handed to a worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from windhover.model.execution import Breakpoint, Execution, JsonValue, Label, TaskRun
from windhover.model.log import LogEntry, Metric
from windhover.model.state import StateType
from windhover.model.trigger_state import TriggerKey
from windhover.plugin.executable import ChildRequest
from windhover.plugin.flowable import Decision
from windhover.plugin.task import TaskDefinition


class JobIdentity(msgspec.Struct, frozen=True):
    """Where a job belongs. ``dispatch`` is its fencing token, ``attempt`` counts from 0."""

    tenant_id: str
    namespace: str
    flow_id: str
    flow_revision: int
    execution_id: str
    task_id: str
    task_run_id: str
    attempt: int
    dispatch: int


class SharedDirectory(msgspec.Struct, frozen=True):
    """A working directory that several jobs share, and the worker that has it, once there is one."""

    name: str
    worker_id: str | None = None


class Job(msgspec.Struct, frozen=True):
    """One attempt of a task run, for any worker.

    ``variables`` is what the task's expressions may read; values are built when they are asked for.
    ``began`` is when the work was first begun, if it is handed out again because its worker was lost:
    a wait goes on from there instead of beginning anew. ``holds_stored``: among outputs and inputs are
    some that are kept in the storage. ``secrets``: texts that no log line may show. ``directory``:
    where it works, if not in a directory of its own.
    """

    identity: JobIdentity
    task: TaskDefinition
    variables: Mapping[str, JsonValue]
    began: datetime | None = None
    holds_stored: bool = False
    secrets: frozenset[str] = frozenset()
    directory: SharedDirectory | None = None


class StartChild(msgspec.Struct, frozen=True):
    """A task run's wish for an execution of another flow.

    ``restarts`` is the execution that it had started before it was restarted itself: if that failed, it is
    restarted in its place. ``generation`` is the task run's.
    """

    task_run_id: str
    task_id: str
    task_type: str
    request: ChildRequest
    #: What the child's trigger says of the task run besides its id: its outputs, value and iteration.
    run_variables: Mapping[str, JsonValue]
    restarts: str | None = None
    generation: int = 0


class TaskStarted(msgspec.Struct, frozen=True):
    """A worker has begun an attempt."""

    execution_id: str
    task_run_id: str
    dispatch: int
    worker_id: str
    at: datetime


class TaskEnded(msgspec.Struct, frozen=True):
    """A worker has ended an attempt: SUCCESS, WARNING, FAILED or KILLED, and never again for this token.

    ``logs`` and ``metrics`` are the last of the attempt; they are committed together with its end.
    ``cached``: nothing was run, the outputs are those of an earlier task run.
    """

    execution_id: str
    task_run_id: str
    dispatch: int
    worker_id: str
    at: datetime
    state: StateType
    outputs: dict[str, JsonValue] | None = None
    log_file: str | None = None
    logs: Sequence[LogEntry] = ()
    metrics: Sequence[Metric] = ()
    cached: bool = False


class LogsWritten(msgspec.Struct, frozen=True):
    """Log lines and metrics of an attempt that is still running."""

    execution_id: str
    logs: Sequence[LogEntry] = ()
    metrics: Sequence[Metric] = ()


class KillTaskRun(msgspec.Struct, frozen=True):
    """To all workers: stop this attempt, if you run it, and its whole process tree."""

    execution_id: str
    task_run_id: str
    dispatch: int


class ReleaseDirectory(msgspec.Struct, frozen=True):
    """To all workers: no job will ask for this shared directory any more; remove it if you have it."""

    name: str


class CreateExecution(msgspec.Struct, frozen=True):
    """Start a new execution. ``execution`` is in state CREATED with its final inputs and labels."""

    execution: Execution
    logs: Sequence[LogEntry] = ()


class KillExecution(msgspec.Struct, frozen=True):
    """Kill an execution in whatever state it is, and with ``cascade`` all that it has started.

    Answered with the execution once KILLING (or KILLED) is committed. ``actor`` is named in the log.
    """

    execution_id: str
    actor: str | None = None
    cascade: bool = True


class PauseExecution(msgspec.Struct, frozen=True):
    """Let nothing new start in a running execution. ``actor`` is who asks for it."""

    execution_id: str
    actor: str | None = None


class ResumeExecution(msgspec.Struct, frozen=True):
    """Let a paused execution go on. ``inputs`` are those that its pause asks for, checked.

    ``actor`` is the person who asks; ``task`` says which task it is, if it is one.
    ``task_run_id`` is the pause that they are for; without it, the one that began first is ended.
    ``decision`` and ``comment`` answer a pause that asks for one. ``logs`` say what is odd about the inputs.
    """

    execution_id: str
    inputs: Mapping[str, JsonValue] | None = None
    actor: str | None = None
    task_run_id: str | None = None
    decision: Decision = Decision.APPROVED
    comment: str | None = None
    logs: Sequence[LogEntry] = ()
    task: str | None = None


class ResumeFromBreakpoint(msgspec.Struct, frozen=True):
    """Let an execution go on that stands at a breakpoint; ``breakpoints`` replace its others, if given."""

    execution_id: str
    breakpoints: tuple[Breakpoint, ...] | None = None
    actor: str | None = None


class RestartExecution(msgspec.Struct, frozen=True):
    """Take up again what failed in an ended execution; with a revision, in a new execution of that.

    Of this command and those below, ``actor`` is who asks; the log names them.
    """

    execution_id: str
    revision: int | None = None
    actor: str | None = None


class ReplayExecution(msgspec.Struct, frozen=True):
    """Run an execution again as a new one: from its beginning or a task run, as another revision, with
    other inputs (checked). ``new_id`` is the id of the new one, if it has been chosen already.

    ``logs`` are its first lines. With ``refusals`` it is created and ends as FAILED, for these
    reasons, without having run.
    """

    execution_id: str
    task_run_id: str | None = None
    revision: int | None = None
    inputs: Mapping[str, JsonValue] | None = None
    new_id: str | None = None
    breakpoints: tuple[Breakpoint, ...] = ()
    actor: str | None = None
    logs: Sequence[LogEntry] = ()
    refusals: tuple[str, ...] = ()


class ChangeTaskRunState(msgspec.Struct, frozen=True):
    """Say that a task run of an ended execution ended otherwise, and go on from there."""

    execution_id: str
    task_run_id: str
    state: StateType
    actor: str | None = None


class ChangeStatus(msgspec.Struct, frozen=True):
    """Give an ended execution another end state. Nothing runs."""

    execution_id: str
    state: StateType
    actor: str | None = None


class SetLabels(msgspec.Struct, frozen=True):
    """Set labels of an ended execution; those of other keys stay."""

    execution_id: str
    labels: Sequence[Label]


class ForceRun(msgspec.Struct, frozen=True):
    """Let an execution run that waits: for its date, for its turn, or for somebody to resume it."""

    execution_id: str
    actor: str | None = None


class UnqueueExecution(msgspec.Struct, frozen=True):
    """Take an execution out of its flow's queue: to run it, or to end it in a state without running it."""

    execution_id: str
    state: StateType = StateType.RUNNING
    actor: str | None = None


class DeleteExecution(msgspec.Struct, frozen=True):
    """Remove an ended execution and what belongs to it.

    With ``files``, its files may go as soon as no other execution needs them; whoever asks sees to that.
    """

    execution_id: str
    logs: bool = True
    metrics: bool = True
    files: bool = True


Command = (
    CreateExecution
    | KillExecution
    | PauseExecution
    | ResumeExecution
    | ResumeFromBreakpoint
    | RestartExecution
    | ReplayExecution
    | ChangeTaskRunState
    | ChangeStatus
    | SetLabels
    | ForceRun
    | UnqueueExecution
    | DeleteExecution
)


class Accepted(msgspec.Struct, frozen=True):
    """What a command is answered with: the execution as it was then, and its task runs if they matter."""

    execution: Execution
    task_runs: Sequence[TaskRun] | None = None


class ExecutionStored(msgspec.Struct, frozen=True):
    """An execution was written by somebody else and is to begin; ``execution`` is as it was written.

    ``logs`` is how many lines it has by now.
    """

    execution_id: str
    execution: Execution
    logs: int = 0


Event = TaskStarted | TaskEnded | LogsWritten | ExecutionStored


class ExecutionChanged(msgspec.Struct, frozen=True):
    """To all who follow: an execution as it is after a commit. ``ended``: nothing more will come."""

    execution_id: str
    state: StateType
    ended: bool


class LogsCommitted(msgspec.Struct, frozen=True):
    """To all who follow: log lines as they were committed, in order."""

    execution_id: str
    entries: Sequence[LogEntry] = ()


class TaskProgressed(msgspec.Struct, frozen=True):
    """To all who follow: how far a running task says it is, from 0 to 1. It is not kept anywhere."""

    execution_id: str
    task_id: str
    task_run_id: str
    fraction: float
    message: str = ""


class FlowChanged(msgspec.Struct, frozen=True):
    """To all: a revision of a flow was saved or deleted; what is cached of it is stale."""

    tenant_id: str
    namespace: str
    flow_id: str
    revision: int


class TriggersChanged(msgspec.Struct, frozen=True):
    """To all: somebody has changed what is kept of triggers, or their backfills."""


class EventGathered(msgspec.Struct, frozen=True):
    """To all: an event of a trigger waits to become an execution together with others."""

    key: TriggerKey


Broadcast = (
    KillTaskRun
    | ReleaseDirectory
    | ExecutionChanged
    | LogsCommitted
    | TaskProgressed
    | FlowChanged
    | TriggersChanged
    | EventGathered
)


class CommandRefused(Exception):
    """A command that cannot be carried out, with the reason for whoever asked."""


class ExecutionNotFound(CommandRefused):
    """There is no execution of that id."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"Execution '{execution_id}' not found")


class TaskRunNotFound(CommandRefused):
    """The execution has no task run of that id."""

    def __init__(self, task_run_id: str) -> None:
        super().__init__(f"Task run '{task_run_id}' not found")


class RevisionNotFound(CommandRefused):
    """The flow has no such revision."""


class NothingToRestart(CommandRefused):
    """No task run of the execution failed; ``hint`` says what else there is to know, or to do."""

    def __init__(self, hint: str = "") -> None:
        super().__init__(f"No task found to restart execution from! {hint}".rstrip())


class IllegalExecutionState(CommandRefused):
    """The execution is in a state in which this cannot be done."""
