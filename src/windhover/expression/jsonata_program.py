"""Runs JSONata programs, bounded in time, depth and memory.

The library runs a program step by step and looks at the clock between steps, so a program whose single steps
are short runs in this process. One that can make its steps longer and longer, with functions, variables or
ranges, runs in a process of its own, which has little memory and is ended when the time is up.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, cast

import regex

from windhover.expression.errors import EvaluationError, LimitExceededError
from windhover.expression.scope import Budget
from windhover.expression.values import json_data

_UNBOUNDED = re.compile(r"\bfunction\b|λ|\.\.|:=|~>|\$(?:eval|pad|power)\b")
_MAX_DEPTH = 100
_MAX_MEMORY = 1024 * 1024 * 1024
_TOO_LONG, _TOO_DEEP = "D1012", "D1011"

_CHILD = (
    "import json,resource,sys;memory=int(sys.argv[1]);resource.setrlimit(resource.RLIMIT_AS,(memory,memory));"
    "from jsonata import Jsonata;from jsonata.jexception import JException\n"
    "program,value,milliseconds,depth=json.load(sys.stdin)\n"
    "try:answer=[Jsonata(program,timeout=milliseconds,stack=depth).evaluate(value)]\n"
    "except JException as e:answer=[None,e.get_error(),str(e)]\n"
    "except (MemoryError,RecursionError):answer=[None,'D1011','']\n"
    "except Exception as e:answer=[None,'',str(e)]\n"
    "json.dump(answer,sys.stdout)"
)


def run_jsonata(expression: str, value: object, budget: Budget) -> object:
    """What a JSONata program gives for a value: data, or None if it gives nothing.

    Raises EvaluationError if the program is malformed or fails, LimitExceededError if it does not end in
    time, goes too deep or needs too much memory.
    """
    run = _run_apart if _UNBOUNDED.search(expression) else _run_here
    seconds = budget.remaining_seconds()
    try:
        return run(expression, json_data(value), seconds, budget)
    except (TimeoutError, subprocess.TimeoutExpired):
        raise LimitExceededError(f"The JSONata expression took longer than {seconds:.0f} seconds") from None
    except RecursionError:
        raise _failure(expression, _TOO_DEEP, "", seconds) from None


def _failure(expression: str, code: str, message: str, seconds: float) -> Exception:
    if code == _TOO_LONG:
        return LimitExceededError(f"The JSONata expression took longer than {seconds:.0f} seconds")
    if code == _TOO_DEEP:
        return LimitExceededError(
            f"The JSONata expression goes deeper than {_MAX_DEPTH} levels or needs too much memory"
        )
    return EvaluationError(f"Failed to resolve JSONata expression '{expression}': {message}")


def _run_here(expression: str, data: object, seconds: float, budget: Budget) -> object:
    from jsonata import Jsonata
    from jsonata.jexception import JException

    milliseconds = max(1, int(seconds * 1000))
    try:
        program = Jsonata(expression, _pattern_maker(budget), timeout=milliseconds, stack=_MAX_DEPTH)
        return _plain(cast("object", program.evaluate(data)))
    except JException as error:
        raise _failure(expression, error.get_error(), str(error), seconds) from None
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, regex.error) as error:
        raise _failure(expression, "", str(error), seconds) from None


def _run_apart(expression: str, data: object, seconds: float, budget: Budget) -> object:
    done = subprocess.run(
        [sys.executable, "-I", "-c", _CHILD, str(_MAX_MEMORY)],
        input=json.dumps([expression, data, max(1, int(seconds * 1000)), _MAX_DEPTH]),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={},
    )
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2]
        if reason.startswith("TypeError: Object of type"):
            reason = "it gives a function, not data"
        raise _failure(expression, "", reason or "it was ended", seconds)
    answer: list[object] = json.loads(done.stdout)
    if len(answer) > 1:
        raise _failure(expression, str(answer[1]), str(answer[2]), seconds)
    return answer[0]


def _plain(value: object) -> object:
    """The library's own lists as lists; a function, which a program may give too, is refused."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | range):
        return [_plain(item) for item in value]
    raise TypeError("it gives a function, not data")


class _TimedPattern:
    """A compiled regular expression whose every use has to end within the time that is left."""

    def __init__(self, pattern: regex.Pattern[str], budget: Budget) -> None:
        self._pattern = pattern
        self._budget = budget

    def _seconds(self) -> float:
        return max(0.001, min(self._budget.limits.regex_seconds, self._budget.remaining_seconds()))

    def search(self, string: str) -> regex.Match[str] | None:
        return self._pattern.search(string, timeout=self._seconds())

    def finditer(self, string: str) -> Iterator[regex.Match[str]]:
        return iter(self._pattern.finditer(string, timeout=self._seconds()))

    def sub(self, repl: Any, string: str, count: int = 0) -> str:
        return str(self._pattern.sub(repl, string, count, timeout=self._seconds()))

    def split(self, string: str, maxsplit: int = 0) -> list[str]:
        return list(self._pattern.split(string, maxsplit, timeout=self._seconds()))


def _pattern_maker(budget: Budget) -> Callable[[str, Any], _TimedPattern]:
    def compile_pattern(pattern: str, flags: Any) -> _TimedPattern:
        chosen = regex.IGNORECASE if flags.case_insensitive else 0
        chosen |= regex.MULTILINE if flags.multiline else 0
        return _TimedPattern(regex.compile(pattern, chosen), budget)

    return compile_pattern
