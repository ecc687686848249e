"""``io.kestra.plugin.core.flow.Approval``."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import cached_property
from typing import Annotated, ClassVar

from pydantic import Field

from windhover.core.execution.exit import Exit
from windhover.core.execution.fail import Fail
from windhover.core.flow.sequential import Sequential
from windhover.expression import to_text, truthy
from windhover.model.definition import Definition, Text
from windhover.model.execution import JsonValue
from windhover.model.inputs import Input
from windhover.model.state import StateType
from windhover.model.task import Task
from windhover.plugin.documentation import Example
from windhover.plugin.flowable import (
    Body,
    CommentRule,
    Decision,
    FlowableContext,
    FlowableTask,
    Lane,
    PauseBehavior,
    PauseUntil,
)
from windhover.plugin.nesting import TaskList
from windhover.plugin.task import Output, TaskDefinition
from windhover.util.durations import read_duration


class ApprovalOutput(Output):
    """What an Approval gives."""

    decision: Annotated[Decision | None, Field(description="What was decided, once it is.")] = None
    auto: Annotated[bool | None, Field(description="Whether nobody was asked.")] = None
    by: Annotated[str | None, Field(description="Who has decided.")] = None
    on: Annotated[str | None, Field(description="When, as a date and time in UTC.")] = None
    comment: str | None = None
    inputs: Annotated[dict[str, JsonValue] | None, Field(description="What was given in the form.")] = None
    due: Annotated[str | None, Field(description="Until when the decision is waited for.")] = None
    url: Annotated[str | None, Field(description="Where to decide; there if `kestra.url` is configured.")] = (
        None
    )


class Behavior(StrEnum):
    """What a decision means for the execution, once its tasks are done."""

    CONTINUE = "CONTINUE"
    WARN = "WARN"
    FAIL = "FAIL"
    SUCCEED = "SUCCEED"
    CANCEL = "CANCEL"
    KILL = "KILL"


_ENDS = {Behavior.SUCCEED: "SUCCESS", Behavior.CANCEL: "CANCELLED", Behavior.KILL: "KILLED"}


class Buttons(Definition):
    """How the decisions are called where somebody decides."""

    approve: Text = "Approve"
    deny: Text = "Deny"


class Approval(FlowableTask):
    """Let the execution wait until somebody approves or denies, and go on accordingly.

    `onWait` runs when the wait begins, `onApprove` or `onDeny` after the decision; then `approveBehavior`,
    `denyBehavior` or, when the `timeout` is over, `expireBehavior` says what becomes of the execution. A task
    that fails there is a failure all the same.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.Approval"
    output: ClassVar[type[Output] | None] = ApprovalOutput
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Ask before paying, and give up after a day",
            code="""
id: ask
type: io.kestra.plugin.core.flow.Approval
timeout: P1D
commentRequired: ON_DENY
inputs:
  - id: amount
    type: INT
onDeny:
  - id: tell
    type: io.kestra.plugin.core.log.Log
    message: "Denied: {{ outputs.ask.comment }}"
""",
        ),
    )

    inputs: Annotated[tuple[Input, ...], Field(description="A form for whoever decides.")] = ()
    decisions: Annotated[Buttons, Field(description="The names of the buttons.")] = Buttons()
    comment_required: Annotated[CommentRule, Field(description="When a comment has to be given.")] = (
        CommentRule.NEVER
    )
    auto_approve: Annotated[
        bool | str, Field(description="Approve at once, without asking. May be an expression.")
    ] = False
    approve_behavior: Annotated[str, Field(description="What an approval means. May be an expression.")] = (
        Behavior.CONTINUE
    )
    deny_behavior: Annotated[str, Field(description="What a denial means. May be an expression.")] = (
        Behavior.CANCEL
    )
    expire_behavior: Annotated[
        str, Field(description="What it means when nobody decides in time. May be an expression.")
    ] = Behavior.CANCEL
    on_wait: Annotated[TaskList, Field(description="Run when the wait begins.")] = ()
    on_approve: Annotated[TaskList, Field(description="Run after an approval.")] = ()
    on_deny: Annotated[TaskList, Field(description="Run after a denial.")] = ()

    def resolve(self, ctx: FlowableContext) -> JsonValue:
        auto = truthy(ctx.render(self.auto_approve))
        return {
            "seconds": self._limit(ctx),
            "auto": auto,
            "decision": Decision.APPROVED.value if auto else None,
            "url": _url(ctx),
            Decision.APPROVED.value: _behavior(ctx, self.approve_behavior, "approveBehavior"),
            Decision.DENIED.value: _behavior(ctx, self.deny_behavior, "denyBehavior"),
            Decision.EXPIRED.value: _behavior(ctx, self.expire_behavior, "expireBehavior"),
        }

    def body(self, resolved: JsonValue) -> Body:
        tasks = self._branch(resolved)
        lanes = [Lane(tasks)] if tasks else []
        if resolved["auto"]:
            return Body(lanes)
        pause = PauseUntil(
            resolved["seconds"],
            PauseBehavior.EXPIRE,
            self.inputs,
            self._waiting if self.on_wait else None,
            self.comment_required,
        )
        return Body(lanes, pause=pause)

    def decided(self, resolved: JsonValue, decision: Decision) -> tuple[JsonValue, StateType]:
        warns = resolved[decision] == Behavior.WARN
        return {**resolved, "decision": decision.value}, StateType.WARNING if warns else StateType.SUCCESS

    def outputs(self, resolved: JsonValue) -> dict[str, JsonValue]:
        shown: dict[str, JsonValue] = {} if resolved["url"] is None else {"url": resolved["url"]}
        return {**shown, "decision": resolved["decision"], "auto": True} if resolved["auto"] else shown

    def nested(self) -> Iterator[Task]:
        """The tasks of `onWait` are in a task of their own, which is what runs."""
        if self.on_wait:
            yield self._waiting
        for tasks in (self.on_approve, self.on_deny, self.errors, self.finally_):
            yield from tasks

    def _branch(self, resolved: JsonValue) -> tuple[Task, ...]:
        """What runs after the decision; its last task does what the behavior says."""
        decision = resolved["decision"]
        if decision is None:
            return ()
        behavior = Behavior(resolved[decision])
        tasks = {Decision.APPROVED: self.on_approve, Decision.DENIED: self.on_deny}.get(
            Decision(decision), ()
        )
        if behavior in _ENDS:
            return (*tasks, self._part(Exit, {"state": _ENDS[behavior]}))
        if behavior is Behavior.FAIL:
            return (*tasks, self._part(Fail, {"errorMessage": f"{decision.capitalize()}."}))
        return tasks

    @cached_property
    def _waiting(self) -> Sequential:
        return Sequential(id=f"{self.id}_wait", type=Sequential.type_name, tasks=self.on_wait)

    def _part(self, plugin: type[Exit] | type[Fail], properties: dict[str, JsonValue]) -> TaskDefinition:
        return TaskDefinition(
            id=f"{self.id}_end", type=plugin.type_name, plugin=plugin, properties=properties
        )

    def _limit(self, ctx: FlowableContext) -> float | None:
        if self.timeout is None:
            return None
        try:
            return read_duration(ctx.render(self.timeout)).total_seconds()
        except ValueError as error:
            raise ValueError(f"`timeout`: {error}") from None


def _behavior(ctx: FlowableContext, written: str, property: str) -> str:
    said = to_text(ctx.render(written)).strip().upper()
    if said not in Behavior.__members__:
        raise ValueError(f"`{property}` must be one of {', '.join(Behavior)}, not `{said}`")
    return said


def _url(ctx: FlowableContext) -> str | None:
    """Where the execution is shown, if the server knows its own address."""
    base = to_text(ctx.render("{{ kestra.url ?? '' }}")).rstrip("/")
    if not base:
        return None
    place = "{{ flow.tenantId }}/executions/{{ flow.namespace }}/{{ flow.id }}/{{ execution.id }}"
    return f"{base}/ui/{to_text(ctx.render(place))}"
