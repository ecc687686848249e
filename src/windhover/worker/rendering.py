"""Rendering a task's properties: on the event loop when that is quick, else in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

from msgspec.structs import replace

from windhover.engine.messages import Job
from windhover.engine.spill import resolving
from windhover.engine.task_views import IterationOutputs
from windhover.expression import (
    EvaluationError,
    LimitExceededError,
    Limits,
    Scope,
    ServerPort,
    has_expression,
    render_value,
    to_text,
)
from windhover.model.execution import JsonValue
from windhover.plugin.definition import static_properties, typed_properties, typed_texts
from windhover.plugin.task import RunnableTask
from windhover.worker.environment import WorkerEnvironment
from windhover.worker.spill import LoopBridge, NeedsThread, StoredOutputs

_MAY_HOLD_STORED = frozenset({"outputs", "inputs", "trigger", "execution", "parent", "previous"})


class TaskRenderer:
    """Renders templates of one attempt, and knows the secrets that this brought to light."""

    def __init__(
        self,
        job: Job,
        environment: WorkerEnvironment,
        stored: StoredOutputs,
        bridge: LoopBridge,
        working_directory: Callable[[], Path],
    ) -> None:
        self._job = job
        self._environment = environment
        self._bridge = bridge
        self._variables = TaskVariables(job, stored, working_directory)
        port = environment.expression_port(job)
        self._port = None if port is None else cast("ServerPort", _OffLoopPort(port, bridge))
        #: Every secret that a rendering has read so far.
        self.secrets: set[str] = set(job.secrets)

    def properties(self) -> dict[str, JsonValue]:
        """The task's properties, rendered, without those that are null: they count as not given.

        Raises:
            NeedsThread: on the event loop, where a template would wait or take long.
            windhover.expression.ExpressionError: a template is wrong, or names something undefined.
        """
        task = self._job.task
        static, typed = static_properties(task.plugin), typed_properties(task.plugin)
        texts = typed_texts(task.plugin)
        rendered: dict[str, JsonValue] = {}
        scope: Scope | None = None
        for name, value in task.properties.items():
            if value is None:
                continue
            is_text = name in texts and not isinstance(value, str)
            if name not in static and _may_hold_expression(value):
                if scope is None:
                    scope = self._scope(self._variables)
                value = self._render(value, scope, typed=name in typed and not is_text)
            rendered[name] = to_text(value) if is_text else value
        return rendered

    def text(self, template: str) -> str:
        """One text, rendered; raises as :meth:`properties` does."""
        return cast("str", self._render(template, self._scope(self._variables)))

    def render(self, template: JsonValue, extra: Mapping[str, JsonValue] | None) -> JsonValue:
        """For the task itself, while it runs: ``extra`` variables go before its own.

        Raises:
            windhover.expression.ExpressionError: a template is wrong, or names something undefined.
        """
        variables = _Layered(extra, self._variables) if extra else self._variables
        try:
            return self._render(template, self._scope(variables))
        except NeedsThread:
            raise EvaluationError(
                "The expression waits for the server; a task that renders it while it runs must do so in a"
                " thread (a plain `def run`)"
            ) from None

    def _render(self, template: JsonValue, scope: Scope, *, typed: bool = False) -> JsonValue:
        try:
            return render_value(template, scope, typed=typed)
        except LimitExceededError:
            if scope.limits is not self._environment.settings.expression_limits:
                raise NeedsThread from None
            raise

    def _scope(self, variables: Mapping[str, object]) -> Scope:
        settings = self._environment.settings
        limits = settings.expression_limits
        if self._bridge.on_loop:
            limits = _quick(limits)
        scope = Scope(
            variables,
            self._port,
            limits=limits,
            clock=self._environment.clock,
            zone=settings.zone,
            recursive=settings.recursive_rendering,
        )
        scope.secrets = self.secrets
        return scope


class TaskVariables(Mapping[str, JsonValue]):
    """The job's variables, large outputs loaded when they are read, and what only this attempt has.

    ``workingDir`` is the attempt's folder, made when it is asked for; a task class may add names of its
    own (see ``RunnableTask.local_variables``).
    """

    def __init__(self, job: Job, stored: StoredOutputs, working_directory: Callable[[], Path]) -> None:
        self._job = job
        self._stored = stored
        self._working_directory = working_directory
        self._local: Mapping[str, JsonValue] | None = None

    def __getitem__(self, name: str) -> JsonValue:
        if name == "workingDir":
            return str(self._working_directory())
        plugin = self._job.task.plugin
        if issubclass(plugin, RunnableTask) and name in plugin.local_variable_names:
            if self._local is None:
                self._local = plugin.local_variables(self._job.task.properties, self._working_directory())
            if name in self._local:
                return self._local[name]
        value = self._job.variables[name]
        if self._job.holds_stored and isinstance(value, IterationOutputs):
            return value.loading(self._stored.load)
        if self._job.holds_stored and name in _MAY_HOLD_STORED:
            return resolving(value, self._stored.load)
        if self._job.holds_stored and name == "parents":
            return [resolving(around, self._stored.load) for around in value]
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._job.variables)

    def __len__(self) -> int:
        return len(self._job.variables)


class _Layered(Mapping[str, JsonValue]):
    """Variables over other variables."""

    def __init__(self, upper: Mapping[str, JsonValue], lower: Mapping[str, JsonValue]) -> None:
        self._upper = upper
        self._lower = lower

    def __getitem__(self, name: str) -> JsonValue:
        return self._upper[name] if name in self._upper else self._lower[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._upper
        yield from (name for name in self._lower if name not in self._upper)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _OffLoopPort:
    """The server as expressions reach it, but never on the event loop."""

    def __init__(self, port: ServerPort, bridge: LoopBridge) -> None:
        self._port = port
        self._bridge = bridge

    def __getattr__(self, name: str) -> object:
        self._bridge.require_thread()
        return getattr(self._port, name)


def _may_hold_expression(value: JsonValue) -> bool:
    if isinstance(value, str):
        return has_expression(value) or "{#" in value
    if isinstance(value, Mapping):
        return any(_may_hold_expression(key) or _may_hold_expression(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return any(_may_hold_expression(item) for item in value)
    return False


def _quick(limits: Limits) -> Limits:
    """What a rendering may cost on the event loop, where everything else waits for it."""
    cached = _QUICK.get(limits)
    if cached is None:
        cached = _QUICK[limits] = replace(
            limits,
            max_output=min(limits.max_output, 1024 * 1024),
            max_iterations=min(limits.max_iterations, 2_000),
            max_seconds=min(limits.max_seconds, 0.02),
            regex_seconds=min(limits.regex_seconds, 0.02),
        )
    return cached


_QUICK: dict[Limits, Limits] = {}
