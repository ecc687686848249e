"""Runs jq programs.

The library runs a program in this process, where nothing can stop it. A program with a construct that may go
on for ever therefore runs in a process of its own, which is ended when the time is up.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import lru_cache
from itertools import islice
from typing import Protocol, cast

from windhover.expression.errors import EvaluationError, LimitExceededError
from windhover.expression.scope import Budget
from windhover.expression.values import json_data

_UNBOUNDED = re.compile(
    r"\b(?:repeat|until|while|range|recurse|recurse_down|def|combinations|limit|inside|splits)\b|\*"
)
_MANY_GENERATORS = 3
_PRELUDE = (
    'def env: {}; def input: error("input is not available"); def inputs: empty; '
    "def input_filename: null; def input_line_number: 0; {} as $ENV | "
)
"""Takes away what would reach out of the value: the environment of this process above all."""

_CHILD = (
    "import json,sys,jq,itertools;p,v,n=json.load(sys.stdin);"
    "json.dump(list(itertools.islice(iter(jq.compile(p).input_value(v)),n+1)),sys.stdout)"
)


class _Program(Protocol):
    def input_value(self, value: object) -> list[str]: ...


@lru_cache(maxsize=256)
def _compiled(expression: str) -> _Program:
    import jq

    jq.compile(_PRELUDE + expression)  # What is wrong with it is said of the program as its author knows it.
    return cast("_Program", jq.compile(_source(expression)))


def _source(expression: str) -> str:
    """A program that gives the results of another as JSON texts.

    In them a number is written as it came: the library itself would give 1.0 as 1.
    """
    return f"{_PRELUDE}({expression}\n) | tojson"


def run_jq(expression: str, value: object, budget: Budget) -> list[object]:
    """All results of a jq program for a value.

    Raises EvaluationError if the program is malformed or fails, LimitExceededError if it does not end in time
    or gives too many results.
    """
    data = json_data(value)
    most = budget.limits.max_iterations
    try:
        program = _compiled(expression)
        if _UNBOUNDED.search(expression) or expression.count("[]") > _MANY_GENERATORS:
            results = _run_apart(expression, data, most, budget.remaining_seconds())
        else:
            results = list(islice(iter(program.input_value(data)), most + 1))
    except ValueError as error:
        raise EvaluationError(f"Failed to resolve JQ expression '{expression}': {error}") from None
    if len(results) > most:
        raise LimitExceededError(f"The jq expression gives more than {most} results")
    return [json.loads(result) for result in results]


def _run_apart(expression: str, data: object, most: int, seconds: float) -> list[str]:
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _CHILD],
            input=json.dumps([_source(expression), data, most]),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={},
        )
    except subprocess.TimeoutExpired:
        raise LimitExceededError(f"The jq expression took longer than {seconds:.0f} seconds") from None
    if done.returncode:
        raise ValueError(
            done.stderr.strip().rpartition("\n")[2].removeprefix("ValueError: ") or "it was ended"
        )
    return cast("list[str]", json.loads(done.stdout))
