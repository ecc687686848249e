"""Random flows: nests of every flow-control type around tasks that end as they are told.

``flows()`` draws what the slow model of flow control knows, ``flows(KINDS + WAITING)`` also what waits: for
a person, a time, another round, another execution or another try.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from windhover.core.condition.execution_flow import ExecutionFlow
from windhover.core.execution.exit import Exit
from windhover.core.flow.allow_failure import AllowFailure
from windhover.core.flow.approval import Approval
from windhover.core.flow.dag import Dag
from windhover.core.flow.each_parallel import EachParallel
from windhover.core.flow.each_sequential import EachSequential
from windhover.core.flow.for_each import ForEach
from windhover.core.flow.for_each_item import ForEachItem
from windhover.core.flow.if_ import If
from windhover.core.flow.loop import Loop
from windhover.core.flow.loop_until import CheckFrequency, LoopUntil
from windhover.core.flow.parallel import Parallel
from windhover.core.flow.pause import Pause
from windhover.core.flow.sequential import Sequential
from windhover.core.flow.subflow import Subflow
from windhover.core.flow.switch import Switch
from windhover.core.flow.template import Template
from windhover.core.flow.working_directory import WorkingDirectory
from windhover.model.execution import Label
from windhover.model.flow import Listener
from windhover.model.retry import ConstantRetry, ExponentialRetry, RandomRetry, Retry
from windhover.model.sla import ExecutionAssertionSla, MaxDurationSla, Sla
from windhover.model.task import Task
from windhover.plugin.context import RunContext
from windhover.plugin.flowable import FlowableTask
from windhover.plugin.task import RunnableTask, TaskDefinition


class Work(RunnableTask[None]):
    """Ends as the test says."""

    type_name = "test.Work"

    def run(self, ctx: RunContext) -> None: ...


@dataclass
class FlowTree:
    """What the engine reads of a flow."""

    tasks: tuple[Task, ...]
    errors: tuple[Task, ...] = ()
    finally_: tuple[Task, ...] = ()
    after_execution: tuple[Task, ...] = ()
    listeners: tuple[Listener, ...] = ()
    inputs: tuple[object, ...] = ()
    outputs: tuple[object, ...] = field(default=())
    retry: Retry | None = None
    revision: int = 1
    sla: tuple[Sla, ...] = ()
    concurrency: None = None
    variables: dict[str, object] = field(default_factory=dict)

    def task_by_id(self, task_id: str) -> Task | None:
        """The task of this id at any depth, or None."""
        return next((task for task in self.all_tasks() if task.id == task_id), None)

    def all_tasks(self) -> Iterator[Task]:
        left = [*self.tasks, *self.errors, *self.finally_, *self.after_execution]
        left += [task for listener in self.listeners for task in listener.tasks]
        while left:
            task = left.pop()
            yield task
            if isinstance(task, FlowableTask):
                left.extend(task.nested())


class Namer:
    """Gives tasks their ids, and knows which kinds there may be."""

    def __init__(self, kinds: Sequence[str], *, broken: bool = True) -> None:
        self.count = 0
        self.kinds = kinds
        #: There may be what fails by itself, before any worker has it.
        self.broken = broken
        self.waits = "pause" in kinds
        self.retries = "loop_until" in kinds

    def next(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"


KINDS = [
    "sequential", "allow_failure", "parallel", "for_each", "each_sequential", "each_parallel", "loop",
    "if", "switch", "dag", "template", "directory",
]  # fmt: skip

#: What waits and is in the slow model, with retries besides.
MODELLED = ["loop_until", "subflow"]

#: What waits for something other than workers, or ends by a rule of its own.
WAITING = ["pause", "approval", "loop_until", "subflow", "for_each_item", "exit"]


@st.composite
def flows(draw: st.DrawFn, kinds: Sequence[str] = KINDS, *, broken: bool = True) -> FlowTree:
    namer = Namer(kinds, broken=broken)
    return FlowTree(
        tasks=draw_tasks(draw, namer, depth=3, least=1),
        errors=draw_branch(draw, namer),
        finally_=draw_branch(draw, namer),
        after_execution=draw_branch(draw, namer),
        retry=draw_retry(draw, namer),
        sla=draw_slas(draw) if namer.waits else (),
        listeners=draw_listeners(draw, namer),
    )


#: The label of an execution that has broken an agreement.
MISSED = Label("sla", "missed")
_MISSED = [{"key": MISSED.key, "value": MISSED.value}]


def draw_slas(draw: st.DrawFn) -> tuple[Sla, ...]:
    """Agreements; usually none."""
    behavior = draw(st.sampled_from(["FAIL", "CANCEL", "NONE"]))
    match draw(st.integers(0, 7)):
        case 0:
            return (lasts_an_hour(behavior),)
        case 1:
            return (is_not_done("work1", behavior),)
    return ()


def lasts_an_hour(behavior: str) -> MaxDurationSla:
    said = {"type": "MAX_DURATION", "duration": "PT1H", "behavior": behavior, "labels": _MISSED}
    return MaxDurationSla.model_validate({"id": "soon", **said})


def is_not_done(task_id: str, behavior: str) -> ExecutionAssertionSla:
    """Holds until a task has outputs."""
    holds = f"{{{{ (outputs.{task_id} ?? 'no') == 'no' }}}}"
    said = {"type": "EXECUTION_ASSERTION", "assert": holds, "behavior": behavior, "labels": _MISSED}
    return ExecutionAssertionSla.model_validate({"id": f"not_{task_id}", **said})


def draw_listeners(draw: st.DrawFn, namer: Namer) -> tuple[Listener, ...]:
    """Listeners, some of which do not listen to an execution of this flow; usually none."""
    other = ExecutionFlow(type="ExecutionFlow", namespace="test", flow_id="other")
    count = draw(st.sampled_from([0, 0, 0, 0, 1, 2]))
    return tuple(
        Listener(
            conditions=() if draw(st.booleans()) else (other,),
            tasks=draw_tasks(draw, namer, depth=1, least=1, most=1),
        )
        for _ in range(count)
    )


def draw_branch(draw: st.DrawFn, namer: Namer) -> tuple[Task, ...]:
    """An errors or finally branch; usually none."""
    if draw(st.integers(0, 3)):
        return ()
    return draw_tasks(draw, namer, depth=1, least=1, most=2)


def draw_tasks(draw: st.DrawFn, namer: Namer, depth: int, least: int = 0, most: int = 3) -> tuple[Task, ...]:
    return tuple(draw_task(draw, namer, depth) for _ in range(draw(st.integers(least, most))))


def draw_run_if(draw: st.DrawFn, namer: Namer) -> str:
    """Usually true; sometimes it cannot be rendered."""
    drawn = draw(st.integers(0, 20))
    if drawn == 0 and namer.broken:
        return "{{ nothing.of.the.kind }}"
    return "false" if drawn < 3 else "true"


def draw_task(draw: st.DrawFn, namer: Namer, depth: int) -> Task:
    common = {
        "disabled": draw(st.integers(0, 9)) == 0,
        "run_if": draw_run_if(draw, namer),
        "allow_failure": draw(st.integers(0, 5)) == 0,
        "allow_warning": draw(st.integers(0, 5)) == 0,
    }
    kind = draw(st.sampled_from(namer.kinds)) if depth and draw(st.booleans()) else "work"
    common["id"] = namer.next(kind)
    common["type"] = kind
    common["retry"] = draw_retry(draw, namer)
    if kind == "work":
        return TaskDefinition(**common, plugin=Work)
    if kind == "exit":
        state = draw(st.sampled_from(["SUCCESS", "WARNING", "KILLED", "FAILED", "CANCELLED"]))
        return TaskDefinition(**common, plugin=Exit, properties={"state": state})
    if kind == "subflow":
        said = {"wait": draw(st.integers(0, 3)) > 0, "transmitFailed": draw(st.booleans())}
        common["timeout"] = draw(st.sampled_from([None, None, "PT1H"]))
        child = {"namespace": "test", "flowId": draw_child(draw)}
        return TaskDefinition(**common, plugin=Subflow, properties={**child, **said})
    if draw(st.integers(0, 5)) == 0 or (kind in ("pause", "approval") and draw(st.booleans())):
        common["timeout"] = "PT1H"
    common["errors"] = draw_branch(draw, namer) if draw(st.booleans()) else ()
    common["finally_"] = draw_branch(draw, namer) if draw(st.booleans()) else ()
    if kind == "for_each_item":
        wait, transmit = draw(st.integers(0, 3)) > 0, draw(st.booleans())
        return ForEachItem(
            **common,
            items="kestra:///file",
            namespace="test",
            flow_id=draw_child(draw),
            wait=wait,
            transmit_failed=transmit,
        )
    if kind == "pause":
        return draw_pause(draw, namer, common)
    if kind == "approval":
        return draw_approval(draw, namer, common)
    inside = draw_tasks(draw, namer, 0 if kind == "directory" else depth - 1, least=1)
    if kind == "loop_until":
        often = CheckFrequency(interval="PT1S", max_iterations=draw(st.integers(1, 3)))
        fails = draw(st.booleans())
        return LoopUntil(
            **common, tasks=inside, condition="false", check_frequency=often, fail_on_max_reached=fails
        )
    if kind == "loop":
        values = [f"v{i}" for i in range(draw(st.integers(0, 3)))]
        limit, transmit = draw(st.integers(0, 2)), draw(st.booleans())
        common["break_when"] = draw(st.sampled_from([None, None, "true"]))
        return Loop(**common, tasks=inside, values=values, concurrency_limit=limit, transmit_failed=transmit)
    if kind == "each_sequential":
        return EachSequential(**common, tasks=inside, value=[f"v{i}" for i in range(draw(st.integers(0, 3)))])
    if kind == "each_parallel":
        values = [f"v{i}" for i in range(draw(st.integers(0, 3)))]
        return EachParallel(**common, tasks=inside, value=values, concurrent=draw(st.integers(0, 3)))
    if kind == "template":
        return Template(**common, tasks=inside, namespace="test", template_id="steps")
    if kind == "directory":
        return WorkingDirectory(**common, tasks=inside)
    if kind == "sequential":
        return Sequential(**common, tasks=inside)
    if kind == "allow_failure":
        return AllowFailure(**common, tasks=inside)
    if kind == "parallel":
        return Parallel(**common, tasks=inside, concurrent=draw(st.integers(0, 3)))
    if kind == "for_each":
        values = [f"v{i}" for i in range(draw(st.integers(0, 4)))]
        return ForEach(**common, tasks=inside, values=values, concurrency_limit=draw(st.integers(0, 3)))
    if kind == "if":
        condition = draw(st.sampled_from(["true", "false"]))
        return If(**common, then=inside, else_=draw_tasks(draw, namer, depth - 1), condition=condition)
    if kind == "switch":
        value = draw(st.sampled_from(["a", "b", "none"]))
        # One that finds nothing to run fails.
        least = int(value != "a" and not namer.broken)
        defaults = draw_tasks(draw, namer, depth - 1, least=least)
        return Switch(**common, value=value, cases={"a": inside}, defaults=defaults)
    before: list[str] = []
    entries = []
    for task in inside:
        entries.append({"task": task, "depends_on": [b for b in before if draw(st.booleans())]})
        before.append(task.id)
    return Dag(**common, tasks=entries, concurrent=draw(st.integers(0, 2)))


#: A flow that there is not.
NO_FLOW = "gone"


def draw_child(draw: st.DrawFn) -> str:
    """The flow that a subflow or a batch is an execution of; seldom there is none."""
    return NO_FLOW if draw(st.integers(0, 7)) == 0 else "child"


def draw_retry(draw: st.DrawFn, namer: Namer) -> Retry | None:
    """A retry; usually none, and never one where nothing waits."""
    if not namer.retries or draw(st.integers(0, 6 if namer.waits else 2)):
        return None
    anew = draw(st.integers(0, 3)) == 0
    behavior = "CREATE_NEW_EXECUTION" if anew else "RETRY_FAILED_TASK"
    common = {"max_attempts": draw(st.integers(1, 3)), "behavior": behavior}
    common["warning_on_retry"] = draw(st.booleans())
    match draw(st.integers(0, 2)):
        case 0:
            return ConstantRetry(type="constant", interval="PT5S", **common)
        case 1:
            return ExponentialRetry(type="exponential", interval="PT1S", max_interval="PT1M", **common)
    return RandomRetry(type="random", min_interval="PT1S", max_interval="PT1M", **common)


def draw_pause(draw: st.DrawFn, namer: Namer, common: dict[str, object]) -> Task:
    if draw(st.booleans()):
        common[draw(st.sampled_from(["pause_duration", "delay"]))] = "PT1M"
        common["behavior"] = draw(st.sampled_from(["RESUME", "WARN", "FAIL", "CANCEL"]))
    if draw(st.integers(0, 2)) == 0:
        common["on_pause"] = draw_task(draw, namer, 1)
    return Pause(**common, tasks=draw_tasks(draw, namer, 0, most=2))


def draw_approval(draw: st.DrawFn, namer: Namer, common: dict[str, object]) -> Task:
    behaviors = st.sampled_from(["CONTINUE", "WARN", "FAIL", "SUCCEED", "CANCEL", "KILL"])
    for when in ("approve", "deny", "expire"):
        common[f"{when}_behavior"] = draw(behaviors)
    for when in ("on_wait", "on_approve", "on_deny"):
        common[when] = draw_tasks(draw, namer, 0, most=1)
    return Approval(**common, auto_approve=draw(st.integers(0, 4)) == 0)
