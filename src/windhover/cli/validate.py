"""``windhover flow validate``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from windhover.engine.expression_check import CODES, read_with_expressions
from windhover.model.problem import FlowInvalid, Problem, ProblemCode
from windhover.plugin.parsing import FlowRefused, parse_flow
from windhover.plugin.registry import Registry

_ENDINGS = {".yaml", ".yml"}


def validate_files(paths: Sequence[Path], *, as_json: bool = False) -> int:
    """Check every flow, print all problems, return 1 if one of them is an error (2: nothing to check)."""
    files = [file for path in paths for file in _files(path)]
    if not files:
        print("No flow files there.", file=sys.stderr)
        return 2
    registry = Registry()
    invalid = 0
    for file in files:
        errors, remarks = _check(file, registry)
        invalid += bool(errors)
        for problem in (*errors, *remarks):
            print(_as_json(file, problem) if as_json else format_problem(file, problem))
    if not as_json:
        print(_summary(len(files), invalid))
    return 1 if invalid else 0


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.suffix in _ENDINGS)
    return [path]


def _check(file: Path, registry: Registry) -> tuple[Sequence[Problem], Sequence[Problem]]:
    """The errors of a file, and what else there is to say of it."""
    try:
        content = file.read_bytes()
        parsed = read_with_expressions(lambda: parse_flow(content, registry))
    except FlowRefused as refused:
        return refused.problems, [note for note in refused.notes if note.code in CODES]
    except FlowInvalid as error:
        return error.problems, ()
    except OSError as error:
        return [Problem(f"The file cannot be read: {error.strerror}", ProblemCode.YAML_ENCODING)], ()
    remarks = (*parsed.warnings, *parsed.deprecations, *parsed.infos)
    return (), sorted(remarks, key=lambda remark: (remark.line or 0, remark.column or 0))


def format_problem(file: Path, problem: Problem) -> str:
    """``flow.yaml:3:5: unknown-property tasks[0].formt: … (did you mean `format`?)``."""
    place = f"{file}:{problem.line or 1}:{problem.column or 1}"
    path = f"{problem.path}: " if problem.path else ""
    told = problem.suggestion is None or problem.code is ProblemCode.ALIAS  # which names what is right
    hint = "" if told else f" (did you mean `{problem.suggestion}`?)"
    return f"{place}: {problem.code} {path}{problem.message}{hint}"


def _as_json(file: Path, problem: Problem) -> str:
    shown = {
        "file": str(file),
        "line": problem.line,
        "column": problem.column,
        "severity": problem.severity,
        "code": problem.code,
        "path": problem.path,
        "message": problem.message,
        "suggestion": problem.suggestion,
    }
    return json.dumps({name: value for name, value in shown.items() if value is not None})


def _summary(count: int, invalid: int) -> str:
    flows = "1 flow" if count == 1 else f"{count} flows"
    if not invalid:
        return f"{flows} checked, all valid."
    return f"{flows} checked, {invalid} invalid."
