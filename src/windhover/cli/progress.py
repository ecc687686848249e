"""What ``windhover run`` shows: live on a terminal, plain lines or JSON elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from windhover.engine.messages import TaskProgressed
from windhover.model.execution import Execution, TaskRun
from windhover.model.log import LogEntry, LogLevel
from windhover.model.state import StateType
from windhover.util.instants import instant_text

if TYPE_CHECKING:
    from rich.live import Live


class Reporter(Protocol):
    """Is told what happens, in order."""

    #: Whether it shows task runs while they run.
    wants_progress: bool

    def started(self, execution: Execution) -> None: ...
    def log(self, entry: LogEntry) -> None: ...
    def changed(self, execution: Execution, task_runs: Sequence[TaskRun]) -> None: ...
    def progressed(self, progress: TaskProgressed) -> None: ...
    def ended(self, execution: Execution, task_runs: Sequence[TaskRun]) -> None: ...


def make_reporter(as_json: bool, level: LogLevel) -> Reporter:
    if as_json:
        return JsonReporter(level)
    if sys.stdout.isatty():
        return TerminalReporter(level)
    return PlainReporter(level)


def summary(execution: Execution, task_runs: Sequence[TaskRun]) -> str:
    """``SUCCESS in 0.42 s, 3 tasks``."""
    count = "1 task" if len(task_runs) == 1 else f"{len(task_runs)} tasks"
    return f"{execution.state.current.value} in {execution.state.duration or 0:.2f} s, {count}"


class PlainReporter:
    """One line a log line, then the summary and the outputs."""

    wants_progress = False

    def __init__(self, level: LogLevel) -> None:
        self._level = level

    def started(self, execution: Execution) -> None:
        pass

    def log(self, entry: LogEntry) -> None:
        if entry.level >= self._level:
            task = f"{entry.task_id}: " if entry.task_id else ""
            print(f"{entry.timestamp:%H:%M:%S} {entry.level.name:<5} {task}{entry.message}", flush=True)

    def changed(self, execution: Execution, task_runs: Sequence[TaskRun]) -> None:
        pass

    def progressed(self, progress: TaskProgressed) -> None:
        pass

    def ended(self, execution: Execution, task_runs: Sequence[TaskRun]) -> None:
        print(summary(execution, task_runs))
        if execution.outputs:
            print(json.dumps(execution.outputs, indent=2, ensure_ascii=False))


class JsonReporter:
    """One JSON object a line: ``started``, ``log`` and ``progress`` as they come, at last ``ended``."""

    wants_progress = False

    def __init__(self, level: LogLevel) -> None:
        self._level = level

    def started(self, execution: Execution) -> None:
        _emit({"event": "started", "executionId": execution.id, "flowId": execution.flow_id})

    def log(self, entry: LogEntry) -> None:
        if entry.level >= self._level:
            _emit(
                {
                    "event": "log",
                    "timestamp": instant_text(entry.timestamp),
                    "level": entry.level.name,
                    "taskId": entry.task_id,
                    "message": entry.message,
                }
            )

    def changed(self, execution: Execution, task_runs: Sequence[TaskRun]) -> None:
        pass

    def progressed(self, progress: TaskProgressed) -> None:
        _emit(
            {
                "event": "progress",
                "taskId": progress.task_id,
                "taskRunId": progress.task_run_id,
                "fraction": progress.fraction,
                "message": progress.message or None,
            }
        )

    def ended(self, execution: Execution, task_runs: Sequence[TaskRun]) -> None:
        runs = [
            {
                "taskId": run.task_id,
                "value": run.value,
                "state": run.state.current.value,
                "outputs": run.outputs,
            }
            for run in task_runs
        ]
        _emit(
            {
                "event": "ended",
                "state": execution.state.current.value,
                "duration": execution.state.duration,
                "outputs": execution.outputs,
                "taskRuns": runs,
            }
        )


def _emit(record: dict[str, object]) -> None:
    shown = {name: value for name, value in record.items() if value is not None}
    print(json.dumps(shown, ensure_ascii=False), flush=True)


COLOURS = {
    StateType.SUCCESS: "green",
    StateType.WARNING: "yellow",
    StateType.FAILED: "red",
    StateType.KILLED: "magenta",
    StateType.RUNNING: "cyan",
}
LEVEL_COLOURS = {LogLevel.ERROR: "red", LogLevel.WARN: "yellow", LogLevel.INFO: "green"}
#: Task runs shown while they run; those of a wide loop do not fit a screen.
SHOWN_RUNS = 12


class TerminalReporter:
    """Log lines scroll by; below them, what is running."""

    wants_progress = True

    def __init__(self, level: LogLevel) -> None:
        from rich.console import Console

        self._level = level
        self._console = Console(highlight=False)
        self._live: Live | None = None
        self._task_runs: Sequence[TaskRun] = ()
        self._progress: dict[str, TaskProgressed] = {}

    def started(self, execution: Execution) -> None:
        from rich.live import Live

        self._task_runs, self._progress = (), {}
        if self._live is not None:
            return
        self._live = Live(console=self._console, transient=True, refresh_per_second=12)
        self._live.start()

    def log(self, entry: LogEntry) -> None:
        from rich.text import Text

        if entry.level < self._level:
            return
        line = Text(f"{entry.timestamp:%H:%M:%S} ", style="dim")
        line.append(f"{entry.level.name:<5} ", LEVEL_COLOURS.get(entry.level, "dim"))
        if entry.task_id:
            line.append(f"{entry.task_id} ", "bold")
        line.append(entry.message)
        self._console.print(line)

    def changed(self, execution: Execution, task_runs: Sequence[TaskRun]) -> None:
        self._task_runs = task_runs
        self._show()

    def progressed(self, progress: TaskProgressed) -> None:
        self._progress[progress.task_run_id] = progress
        self._show()

    def _show(self) -> None:
        from rich.text import Text

        if self._live is None:
            return
        task_runs = self._task_runs
        under_way = [run for run in task_runs if not run.state.current.is_terminated]
        shown = Text()
        for run in under_way[:SHOWN_RUNS]:
            value = f" [{run.value}]" if run.value is not None else ""
            shown.append(f"  {run.state.current.value:<9} ", COLOURS.get(run.state.current, "dim"))
            shown.append(f"{run.task_id}{value}{self._said(run)}\n")
        if len(under_way) > SHOWN_RUNS:
            shown.append(f"  … and {len(under_way) - SHOWN_RUNS} more\n", "dim")
        ended = len(task_runs) - len(under_way)
        shown.append(f"  {ended} of {len(task_runs)} task runs ended", "dim")
        self._live.update(shown)

    def _said(self, run: TaskRun) -> str:
        """How far a running task says it is: `` 42 % 420 of 1000 rows``."""
        said = self._progress.get(run.id)
        if said is None or run.state.current is not StateType.RUNNING:
            return ""
        return f" {said.fraction:.0%} {said.message}".replace("%", " %", 1).rstrip()

    def ended(self, execution: Execution, task_runs: Sequence[TaskRun]) -> None:
        if self._live is not None:
            self._live.stop()
        colour = COLOURS.get(execution.state.current, "white")
        self._console.print(summary(execution, task_runs), style=f"bold {colour}")
        if execution.outputs:
            self._console.print_json(json.dumps(execution.outputs, ensure_ascii=False))
