"""One step of an execution: an event comes in, changed records and things to do come out.

Documentation page: ``docs/executions.md``.
"""

from __future__ import annotations

from datetime import datetime

from windhover.engine.effects import Effects
from windhover.engine.environment import EngineEnvironment
from windhover.engine.events import (
    Begin,
    ChildEnded,
    ChildRefused,
    ChildRestarted,
    ChildStarted,
    EngineEvent,
    FailedBatchesFound,
    KillRequested,
    LeaveBreakpoint,
    OutputsNotKept,
    PauseRequested,
    Queued,
    Recover,
    Refused,
    Released,
    Restarted,
    Resume,
    TimerFired,
)
from windhover.engine.history_pages import turn_pages
from windhover.engine.live import LiveExecution
from windhover.engine.messages import LogsWritten, TaskEnded, TaskStarted
from windhover.engine.step import Step


def advance(
    live: LiveExecution, event: EngineEvent, now: datetime, environment: EngineEnvironment
) -> Effects:
    """Apply one event to an execution, in place, and return all that follows from it.

    It is deterministic: the same records, event, ``now`` and ids give the same effects. An event that
    comes too late or twice (a result for an attempt that is over, a timer that was cleared) changes
    nothing. Should the effects not be written, ``live`` must be thrown away and read back.
    """
    step = Step(live, now, environment)
    match event:
        case TaskEnded():
            step.task_ended(event)
        case TaskStarted():
            step.task_started(event)
        case LogsWritten():
            step.logs_written(event)
        case Begin():
            step.begin()
        case KillRequested():
            step.kill(event)
        case TimerFired():
            step.timer_fired(event.key)
        case Recover():
            step.recover()
        case Restarted() | Released():
            step.go_ahead()
        case Queued():
            step.queue(event.limit)
        case Refused():
            step.refuse(event)
        case PauseRequested():
            step.pause(event.actor)
        case Resume():
            step.resume(event)
        case LeaveBreakpoint():
            step.resume_from_breakpoint(event.breakpoints, event.actor)
        case FailedBatchesFound():
            step.failed_batches_found(event)
        case ChildRestarted():
            step.child_restarted(event)
        case ChildStarted():
            step.child_started(event)
        case ChildRefused():
            step.child_refused(event)
        case ChildEnded():
            step.child_ended(event)
        case OutputsNotKept():
            step.outputs_not_kept(event.reason)
    effects = step.finish()
    effects.pages = turn_pages(live.record if effects.header_changed else None, effects.task_runs.values())
    return effects
