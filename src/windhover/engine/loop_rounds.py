"""Loops whose rounds stand for themselves: what a round leaves behind, and whether another one begins."""

from __future__ import annotations

import msgspec

from windhover.engine.flow_outputs import FlowOutputError, resolve_outputs
from windhover.engine.frame import Frame, Node
from windhover.engine.recorder import Recorder
from windhover.expression import ExpressionError
from windhover.model.execution import JsonValue, Phase
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.plugin.flowable import FlowableTask, soften

#: Bytes of JSON up to which nobody need think about where outputs are kept.
_SMALL = 4 * 1024


def conclude(recorder: Recorder, node: Node, task: FlowableTask, state: StateType) -> StateType:
    """Add the outputs that the end of a flow-control task run brings; returns the state it ends in.

    An output that cannot be had fails a run that would have ended well.
    """
    frame, record = node.body_frame, node.record
    if frame is None or state is StateType.KILLED:
        return state
    outputs = dict(record.outputs or {})
    try:
        resolved = resolve_outputs(
            task.declared_outputs(),
            recorder.renderer(node),
            encrypt=recorder.environment.encrypt,
            maximum=recorder.environment.max_flow_outputs,
        )
        for warning in resolved.warnings:
            recorder.log(LogLevel.WARN, warning, node)
        if resolved.values:
            outputs["outputs"] = resolved.values
    except FlowOutputError as error:
        # After a failure outputs are often missing; the line must not hide what really went wrong.
        level = LogLevel.WARN if state is StateType.FAILED else LogLevel.ERROR
        recorder.log(level, str(error), node)
        state = soften(task, StateType.FAILED)
    children = [child.record for child in frame.nodes if child.record.phase is Phase.TASKS]
    final = task.final_outputs(record.resolved, children)
    if gathered := final.get("outputs"):
        size, limit = len(msgspec.json.encode(gathered)), recorder.environment.max_loop_outputs
        if size > limit:
            recorder.log(
                LogLevel.ERROR,
                f"The outputs of all rounds are {size} bytes of JSON, more than the limit of {limit}."
                " `fetchType: STORE` writes them to a file instead.",
                node,
            )
            del final["outputs"]
            state = soften(task, StateType.FAILED)
        elif size > _SMALL:
            recorder.effects.large_outputs.append(record.id)
    record.outputs = outputs | final
    return state


def look_at_lane(recorder: Recorder, frame: Frame, ended: Node) -> None:
    """Tell a loop that one of its lanes has ended, and drop those that it no longer wants."""
    owner = frame.owner
    assert owner is not None, "a flow does not watch its lanes"
    task, record = owner.task, owner.record
    assert isinstance(task, FlowableTask), "only flow-control tasks have frames"
    seen: JsonValue = {
        "executionId": record.execution_id,
        "state": ended.record.state.current.value,
        "outputs": (ended.record.outputs or {}).get("outputs", {}),
    }
    try:
        left = task.after_lane(
            record.resolved, recorder.renderer(ended, {"iteration": seen}), frame.next_lane
        )
    except (ExpressionError, ValueError) as error:
        recorder.log(LogLevel.ERROR, f"Unable to resolve state from the Flowable task: {error}", owner)
        record.outcome = StateType.FAILED
    else:
        if left is None:
            return
        record.resolved = left
        frame.body = task.body(left)
    recorder.changed(owner)
