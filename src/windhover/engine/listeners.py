"""Listeners of a flow: tasks that run after the end of an execution, if their conditions hold.

They are older than Flow triggers and `afterExecution`, which do the same.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from windhover.engine.live import tasks_after_end
from windhover.engine.recorder import Recorder
from windhover.model.execution import Phase
from windhover.model.log import LogLevel
from windhover.plugin.condition import ConditionContext, ConditionError, ConditionType


def choose_listeners(recorder: Recorder) -> None:
    """Decide which listeners run after an execution that has just ended; they come before `afterExecution`.

    A condition that cannot be evaluated does not hold, and the log says why.
    """
    live = recorder.live
    flow, record = live.flow, live.record
    if not flow.listeners:
        return
    context = ConditionContext(
        renderer=recorder.renderer(),
        namespace=record.namespace,
        flow_id=record.flow_id,
        execution=record,
        task_runs=lambda: [node.record for node in live.nodes.values()],
        country=recorder.environment.country,
    )
    chosen = []
    for index, listener in enumerate(flow.listeners):
        conditions = [each for each in listener.conditions if isinstance(each, ConditionType)]
        try:
            if all(condition.evaluate(context) for condition in conditions):
                chosen.append(index)
        except ConditionError as error:
            recorder.log(LogLevel.WARN, f"Listener {index + 1} does not run: {error}")
    record.listeners = tuple(chosen)
    recorder.header_changed()
    live.root.phase_tasks[Phase.AFTER_EXECUTION] = tasks_after_end(flow, record.listeners)
