"""Flow-control tasks: they hold other tasks and decide which of them run, and when.

A flow-control task ("flowable") is pure: it does no I/O and keeps no state. When its run begins it
:meth:`~FlowableTask.resolve`\\ s whatever its properties say (a condition, a list of values), once; the
result is stored with the task run. From it the :class:`Body` follows: lanes of tasks, and how many
lanes may be under way together. The engine walks the body and keeps the counters, so that the end of
one child costs the same among three siblings as among a hundred thousand.

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Protocol

import msgspec
from pydantic import Field

from windhover.model.execution import JsonValue, TaskRun
from windhover.model.inputs import FlowOutput, Input
from windhover.model.state import StateType
from windhover.model.task import Task
from windhover.plugin.kind import PluginKind
from windhover.plugin.nesting import TaskList
from windhover.plugin.task import Output, TaskDefinition


class FlowableContext(Protocol):
    """Renders a flowable's properties when its run begins."""

    def render(self, template: JsonValue) -> JsonValue:
        """Render text (to text), lists and maps (deep).

        Raises:
            windhover.expression.ExpressionError: wrong template, or an undefined name.
        """

    def evaluate(self, template: JsonValue) -> JsonValue:
        """As :meth:`render`, but a sole ``{{ expression }}`` keeps its type."""


class Lane(msgspec.Struct, frozen=True):
    """Tasks that run one after the other; ``value`` and ``iteration`` are given to their task runs.

    ``key`` is that of the value when a loop goes over a map.

    In a ``chained`` lane the expressions of each task read the one before it as ``previous``: its
    ``taskRunId`` and its ``outputs``.
    """

    tasks: Sequence[Task]
    value: str | None = None
    iteration: int | None = None
    chained: bool = False
    key: str | None = None


class OnFailure(StrEnum):
    """What the failure of a lane means for the others.

    STOP: none is started any more. CARRY_ON: all are run, then the whole has failed. IGNORE: nothing.
    """

    STOP = "STOP"
    CARRY_ON = "CARRY_ON"
    IGNORE = "IGNORE"


class Round(msgspec.Struct, frozen=True):
    """A round of a loop is over: the outputs tell of ``number`` rounds, and ``elapsed`` is the time since the
    begin of the first."""

    number: int
    elapsed: timedelta


class Again(msgspec.Struct, frozen=True):
    """Another round, in ``seconds``."""

    seconds: float


class Enough(msgspec.Struct, frozen=True):
    """No further round; ``warning`` says why, and ``failed`` that this is a failure of the loop."""

    warning: str | None = None
    failed: bool = False


class PauseBehavior(StrEnum):
    """What happens when the time of a pause is over.

    TIMEOUT fails it, as a limit and not as a plan. EXPIRE is left to the task; see
    :meth:`FlowableTask.decided`.
    """

    RESUME = "RESUME"
    WARN = "WARN"
    CANCEL = "CANCEL"
    FAIL = "FAIL"
    TIMEOUT = "TIMEOUT"
    EXPIRE = "EXPIRE"


class Decision(StrEnum):
    """What came of a question. EXPIRED: nobody answered it in time."""

    APPROVED = "APPROVED"
    DENIED = "DENIED"
    EXPIRED = "EXPIRED"


class CommentRule(StrEnum):
    """With which decision a comment has to be given."""

    NEVER = "NEVER"
    ALWAYS = "ALWAYS"
    ON_DENY = "ON_DENY"
    ON_APPROVE = "ON_APPROVE"

    def asks(self, decision: Decision) -> bool:
        """Whether there has to be a comment."""
        return self is CommentRule.ALWAYS or (self, decision) in (
            (CommentRule.ON_DENY, Decision.DENIED),
            (CommentRule.ON_APPROVE, Decision.APPROVED),
        )


class PauseUntil(msgspec.Struct, frozen=True):
    """A wait before the lanes start: until it is resumed, or for ``seconds``.

    ``inputs`` are asked of whoever resumes; ``meanwhile`` is a task that runs from the beginning of the wait.
    With ``comment`` whoever ends the wait decides something; see :meth:`FlowableTask.decided`.
    """

    seconds: float | None
    behavior: PauseBehavior
    inputs: Sequence[Input] = ()
    meanwhile: Task | None = None
    comment: CommentRule | None = None


class Body(msgspec.Struct, frozen=True):
    """What a flowable runs.

    ``lanes`` are started in order, at most ``limit`` under way together (0: all). ``after`` maps a
    lane's index to the indexes of the lanes that must have ended before it may start. ``missing``
    says why there is no list of tasks to run at all, which ends the flowable FAILED. With ``pause`` the
    whole execution waits first. With ``rounds`` the lanes are run again for as long as
    :meth:`FlowableTask.after_round` says so. With ``directory`` its tasks share one working directory on one
    worker, which :meth:`FlowableTask.opening` prepares and :meth:`FlowableTask.closing` looks through. With
    ``watched`` the end of each lane is told to :meth:`FlowableTask.after_lane`.
    """

    lanes: Sequence[Lane]
    limit: int = 1
    after: Mapping[int, Sequence[int]] = msgspec.field(default_factory=dict)
    missing: str | None = None
    pause: PauseUntil | None = None
    rounds: bool = False
    directory: bool = False
    on_failure: OnFailure = OnFailure.STOP
    watched: bool = False


class BranchKind(StrEnum):
    """How the tasks of a branch come to run: in turn, if chosen, beside others, or once for each value."""

    SEQUENTIAL = "SEQUENTIAL"
    CHOICE = "CHOICE"
    PARALLEL = "PARALLEL"
    DYNAMIC = "DYNAMIC"


class Branch(msgspec.Struct, frozen=True):
    """A row of tasks inside a flowable, as a picture of the flow shows it before anything has run.

    ``value`` is what a choice must come to; ``after`` are the ids of tasks that it waits for.
    """

    tasks: Sequence[Task]
    kind: BranchKind = BranchKind.SEQUENTIAL
    value: str | None = None
    after: Sequence[str] = ()


class Fault(msgspec.Struct, frozen=True):
    """Something wrong with a task that its properties' types cannot tell, found when a flow is saved.

    ``property`` is the property's name as the flow writes it; None when it is the task as a whole.
    """

    message: str
    property: str | None = None


def guess_state(states: Mapping[StateType, int]) -> StateType:
    """The end state that follows from the children's: the worst of KILLED, FAILED, WARNING, else SUCCESS.

    CANCELLED, SKIPPED and RETRIED children count as SUCCESS.
    """
    for state in (StateType.KILLED, StateType.FAILED, StateType.WARNING):
        if states.get(state):
            return state
    return StateType.SUCCESS


def soften(task: Task, state: StateType) -> StateType:
    """Apply a task's ``allowFailure`` and ``allowWarning`` to an end state."""
    if state is StateType.FAILED and task.allow_failure:
        state = StateType.WARNING
    if state is StateType.WARNING and task.allow_warning:
        state = StateType.SUCCESS
    return state


class FlowableTask(Task):
    """Base class of flow-control tasks.

    A subclass declares its properties; those that may hold expressions are declared as text (or a
    list, or a map) and rendered in :meth:`resolve`. Lists of nested tasks are declared as
    ``TaskList``.
    """

    plugin_kind: ClassVar[PluginKind] = PluginKind.FLOWABLE
    type_name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()

    #: The outputs of its runs, for documentation and checks.
    output: ClassVar[type[Output] | None] = None

    #: Its lanes have values, by which the outputs of the tasks in them are kept (``outputs.<task>.<value>``).
    repeats: ClassVar[bool] = False

    #: It stands for one round of a loop: tasks in it read each other's outputs as if there were no others.
    isolates: ClassVar[bool] = False

    #: Its ``tasks``, ``errors`` and ``finally`` are those of the template that its ``namespace`` and
    #: ``templateId`` name, put in when the flow is read.
    includes_template: ClassVar[bool] = False

    #: It has outputs that only its end brings; see :meth:`declared_outputs` and :meth:`final_outputs`.
    concludes: ClassVar[bool] = False

    errors: TaskList = ()
    finally_: Annotated[TaskList, Field(alias="finally")] = ()

    def resolve(self, ctx: FlowableContext) -> JsonValue:
        """Evaluate what the body depends on. The result must be JSON; it is stored and not evaluated again.

        Raises:
            windhover.expression.ExpressionError: the run ends FAILED with this message.
            ValueError: the same, for values that make no sense.
        """
        return None

    @abstractmethod
    def body(self, resolved: JsonValue) -> Body:
        """What to run, given what :meth:`resolve` returned. Called again after a restart of the server."""

    def outputs(self, resolved: JsonValue) -> dict[str, JsonValue]:
        """The outputs of the run, there from its beginning."""
        return {}

    def round_outputs(self, rounds: int) -> dict[str, JsonValue]:
        """The outputs of a loop of which so many rounds are over; they replace those it had before."""
        return {}

    def after_round(self, ctx: FlowableContext, done: Round) -> Again | Enough:
        """Decide about another round, after one in which nothing failed.

        It is asked twice, the second time with the outputs that tell of the round, if it said :class:`Again`.

        Raises:
            windhover.expression.ExpressionError: the run ends FAILED with this message.
            ValueError: the same, for values that make no sense.
        """
        return Enough()

    def decided(self, resolved: JsonValue, decision: Decision) -> tuple[JsonValue, StateType]:
        """Take note of the decision that a pause has waited for.

        Returns what :meth:`resolve` would have returned with it, and the state that the run ends in at best:
        SUCCESS or WARNING.
        """
        return resolved, StateType.SUCCESS

    def after_lane(self, resolved: JsonValue, ctx: FlowableContext, started: int) -> JsonValue:
        """Decide about the lanes that have not started, when one has ended; ``started`` have.

        Expressions see the ended lane as ``iteration``. Returns what :meth:`resolve` would have returned for
        the lanes that are left, or None to change nothing.

        Raises:
            windhover.expression.ExpressionError: no further lane starts, and the run ends FAILED.
        """
        return None

    def declared_outputs(self) -> Sequence[FlowOutput]:
        """Outputs to be rendered and typed at the end of the run; they become its output ``outputs``."""
        return ()

    def final_outputs(self, resolved: JsonValue, children: Sequence[TaskRun]) -> dict[str, JsonValue]:
        """Outputs that follow from the ended task runs of the normal branch, in the order of creation."""
        return {}

    def opening(self) -> TaskDefinition | None:
        """What a worker does in the shared directory before the first task; its outputs are kept."""
        return None

    def closing(self, opened: Mapping[str, JsonValue], *, failed: bool) -> TaskDefinition | None:
        """What a worker does there after the last task of the normal branch, or after one that failed.

        Its outputs become those of the run. ``opened`` holds the outputs of :meth:`opening`.
        """
        return None

    def end_state(self, children: Mapping[StateType, int]) -> StateType:
        """The end state, from how many children of the normal branch ended in which state.

        ``allowFailure`` and ``allowWarning`` are applied.
        """
        return soften(self, guess_state(children))

    def branches(self) -> Iterator[Branch]:
        """The tasks inside, but for errors and finally, as a picture of the flow shows them."""
        aside = {id(task) for task in (*self.errors, *self.finally_)}
        tasks = [task for task in self.nested() if id(task) not in aside]
        if tasks:
            yield Branch(tasks, BranchKind.DYNAMIC if self.repeats else BranchKind.SEQUENTIAL)

    def check(self) -> Iterator[Fault]:
        """Find what is wrong with this task when a flow is saved."""
        yield from ()

    def nested(self) -> Iterator[Task]:
        """All tasks directly inside, errors and finally included, in the order they are written."""
        # By way of the instance's dictionary: looking at a deprecated property would warn its author's users.
        for name in type(self).model_fields:
            yield from tasks_in(vars(self)[name])


def tasks_in(value: object) -> Iterator[Task]:
    """The tasks in the value of a property: a task, or tasks in a list or a map's lists."""
    if isinstance(value, Task):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tasks_in(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tasks_in(item)
