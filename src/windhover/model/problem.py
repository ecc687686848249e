"""What is wrong with a flow, where, and what would be right.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """An error keeps a flow from being saved; the others are told beside it."""

    ERROR = "ERROR"
    WARNING = "WARNING"
    DEPRECATION = "DEPRECATION"
    INFO = "INFO"


class ProblemCode(StrEnum):
    """The kind of a problem, for programs."""

    YAML_SYNTAX = "yaml-syntax"
    YAML_ENCODING = "yaml-encoding"
    YAML_LIMIT = "yaml-limit"
    YAML_DUPLICATE_KEY = "yaml-duplicate-key"
    YAML_VALUE = "yaml-value"
    YAML_ROOT = "yaml-root"
    UNKNOWN_PROPERTY = "unknown-property"
    UNKNOWN_TYPE = "unknown-type"
    WRONG_TYPE = "wrong-type"
    MISSING = "missing"
    INVALID_VALUE = "invalid-value"
    FLOW_RULE = "flow-rule"
    PLUGIN_DEFAULT = "plugin-default"
    DEPRECATED = "deprecated"
    ALIAS = "alias"
    NO_EFFECT = "no-effect"
    EXPRESSION_SYNTAX = "expression-syntax"
    EXPRESSION_NAME = "expression-name"


#: The order in which constraints are listed: what keeps the text from being read comes first.
_RANK = {code: rank for rank, code in enumerate(ProblemCode)}


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong.

    ``message`` says what, ``path`` where in the document (``tasks[0].message``), ``line`` and
    ``column`` (from 1) where in the text. ``kestra_path`` is the place as Kestra's own validation names
    it (``a.message``), None where it names none. ``suggestion`` is what was probably meant.
    ``constraint`` is what the REST API's ``constraints`` says of it; by default it follows from the rest.
    """

    message: str
    code: ProblemCode
    path: str = ""
    kestra_path: str | None = None
    line: int | None = None
    column: int | None = None
    severity: Severity = Severity.ERROR
    suggestion: str | None = None
    constraint: str = ""

    def __post_init__(self) -> None:
        if not self.constraint:
            line = f"{self.kestra_path}: {self.message}" if self.kestra_path else self.message
            msgspec.structs.force_setattr(self, "constraint", line)

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line is not None else ""
        path = f"{self.path}: " if self.path else ""
        hint = f" (did you mean `{self.suggestion}`?)" if self.suggestion else ""
        return f"{place}{path}{self.message}{hint}"


class FlowInvalid(Exception):
    """A flow cannot be accepted; ``problems`` holds all that is wrong with it, in the order of the text.

    ``notes`` are the warnings, deprecations and infos that were found besides. ``namespace`` and
    ``flow_id`` are what the text says, as far as it could be read.
    """

    def __init__(
        self,
        problems: Iterable[Problem],
        notes: Iterable[Problem] = (),
        *,
        namespace: str | None = None,
        flow_id: str | None = None,
    ) -> None:
        self.notes = tuple(notes)
        self.namespace = namespace
        self.flow_id = flow_id
        self._found = tuple(problems)
        self.problems = tuple(
            sorted(self._found, key=lambda problem: (problem.line or 0, problem.column or 0))
        )
        super().__init__("\n".join(map(str, self.problems)))

    @property
    def constraints(self) -> str:
        """All problems in the words of the REST API, one a line; rules of the whole flow share one line.

        Rules are listed in the order in which they were checked.
        """
        ordered = sorted(self._found, key=lambda problem: _RANK[problem.code])
        lines = [problem.constraint for problem in ordered if problem.code is not ProblemCode.FLOW_RULE]
        rules = [problem.constraint for problem in self._found if problem.code is ProblemCode.FLOW_RULE]
        if rules:
            lines.append("Invalid Flow: " + ", ".join(dict.fromkeys(rules)))
        return "\n".join(dict.fromkeys(lines))
