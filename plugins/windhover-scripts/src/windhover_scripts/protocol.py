"""How a script reports outputs, metrics and log lines: ``::{"outputs": {"rows": 3}}::``, alone on a line."""

from __future__ import annotations

from typing import Literal

import msgspec

from windhover.core.runner.lines import MAX_LINE_BYTES
from windhover.model.execution import JsonValue
from windhover.model.log import LogLevel
from windhover.plugin.context import RunContext

#: Characters that all messages of one script may come to.
MAX_CHARACTERS = 64 * 1024 * 1024

_OPENING, _CLOSING = "::{", "}::"

_LEVELS = {
    "TRACE": LogLevel.TRACE,
    "DEBUG": LogLevel.DEBUG,
    "INFO": LogLevel.INFO,
    "WARN": LogLevel.WARN,
    "WARNING": LogLevel.WARN,
    "ERROR": LogLevel.ERROR,
    "CRITICAL": LogLevel.ERROR,
    "FATAL": LogLevel.ERROR,
}


class ScriptMetric(msgspec.Struct):
    """A counter, a gauge, or a timer in seconds."""

    name: str
    type: Literal["counter", "timer", "gauge"]
    value: float
    tags: dict[str, str | int | float | bool | None] | None = None


class ScriptLog(msgspec.Struct):
    """A line for the log, at a level of its own."""

    message: str
    level: str = "INFO"


class ScriptMessage(msgspec.Struct):
    """What one protocol line says; whatever else is in it is ignored."""

    outputs: dict[str, JsonValue] | None = None
    metrics: list[ScriptMetric] | None = None
    logs: list[ScriptLog] | None = None


_decoder = msgspec.json.Decoder(ScriptMessage)


class ScriptReport:
    """Takes the lines that a script prints: messages are acted upon, all others go to the log."""

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx
        self._characters = 0
        #: The outputs reported so far; of two of one name the later counts.
        self.outputs: dict[str, JsonValue] = {}
        #: More was reported than can be kept.
        self.overflowed = False

    def line(self, text: str, is_error: bool) -> None:
        """Take one line, without its end."""
        if text.startswith(_OPENING) and text.rstrip().endswith(_CLOSING):
            self._message(text.rstrip(), is_error)
        elif text.startswith(_OPENING) and _was_cut(text):
            self.overflowed = True
        else:
            self._plain(text, is_error)

    def _plain(self, text: str, is_error: bool) -> None:
        self._ctx.logger.log(LogLevel.ERROR if is_error else LogLevel.INFO, text)

    def _message(self, text: str, is_error: bool) -> None:
        try:
            message = _decoder.decode(text[2:-2])
        except (msgspec.DecodeError, UnicodeError) as error:
            self._ctx.logger.warn(f"Invalid outputs '{text}': {error}")
            self._plain(text, is_error)
            return
        self._characters += len(text)
        if self._characters > MAX_CHARACTERS:
            self.overflowed = True
            return
        self.outputs.update(message.outputs or {})
        for metric in message.metrics or ():
            self._metric(metric)
        for log in message.logs or ():
            self._ctx.logger.log(_LEVELS.get(log.level.upper(), LogLevel.INFO), log.message)

    def _metric(self, metric: ScriptMetric) -> None:
        value = metric.value * 1000 if metric.type == "timer" else metric.value
        tags = {name: _tag(tag) for name, tag in (metric.tags or {}).items() if tag is not None}
        self._ctx.metric(metric.type, metric.name, value, tags)


def _was_cut(text: str) -> bool:
    """The line was longer than is kept of one, so its end, or even a character, is not whole."""
    return len(text.encode("utf-8", "replace")) >= MAX_LINE_BYTES - 4


def _tag(value: str | int | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
