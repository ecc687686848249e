"""Collects what is wrong with one flow, and says where it stands in the text.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from windhover.model.definition import scalar_as_text
from windhover.model.execution import JsonValue
from windhover.model.flow import TASK_LISTS
from windhover.model.problem import Problem, ProblemCode, Severity
from windhover.model.yaml.positions import Positions, PropertyPath, format_path, has_member
from windhover.plugin.finding import Finding
from windhover.util.nearest import nearest

#: A text with more problems than this is no flow; the rest of them would help nobody.
MOST_PROBLEMS = 1000

#: For how many names of a flow the nearest known one is looked for, and how long they may be.
_MOST_SEARCHES = 100
_LONGEST_NAME = 100

#: Problems that are shown at the name of a property, rather than at its value.
_ABOUT_NAMES = frozenset({ProblemCode.UNKNOWN_PROPERTY, ProblemCode.DEPRECATED, ProblemCode.NO_EFFECT})

_DESERIALIZATION_PREFIX = "Illegal flowwithsource source: YAML parsing error: "


class Report:
    """The problems of one flow.

    Parts of the flow are named by the raw map they were read from.
    """

    def __init__(self, raw: dict[str, JsonValue], positions: Positions) -> None:
        self._raw = raw
        self._positions = positions
        self._owners: set[int] = set()
        self._paths: dict[int, PropertyPath] | None = None
        self._stand_ins: list[dict[str, JsonValue]] = []
        self._problems: dict[tuple[str, str], Problem] = {}
        self._searches = 0

    def own(self, raw: dict[str, JsonValue]) -> None:
        """Kestra names the properties of this part by its id (``a.message``) rather than by its place."""
        self._owners.add(id(raw))

    def add_all(self, part: dict[str, JsonValue], findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.add(part, finding)

    def add(self, part: dict[str, JsonValue], finding: Finding, severity: Severity = Severity.ERROR) -> None:
        """Note one thing; the same at the same place counts once."""
        path = (*self.path_of(part), *finding.location)
        self.add_at(path, finding, severity)

    def add_at(self, path: PropertyPath, finding: Finding, severity: Severity = Severity.ERROR) -> None:
        """Note one thing at a path from the root; the finding's own location is not looked at."""
        if len(self._problems) >= MOST_PROBLEMS:
            return
        at_name = finding.code in _ABOUT_NAMES
        position = self._positions.key(path) if at_name else self._positions.value(path)
        base = path[: len(path) - len(finding.location)]
        named = path if finding.named_as is None else (*base, *finding.named_as)
        kestra_path = self._kestra_path(named, finding) if finding.named else None
        written = format_path(path)
        problem = Problem(
            finding.message,
            finding.code,
            path=written,
            kestra_path=kestra_path,
            line=position.line,
            column=position.column,
            severity=severity,
            suggestion=finding.suggestion or self._nearest(path, finding),
            constraint=_constraint(finding, written, kestra_path, position.line),
        )
        self._problems.setdefault((written, finding.message), problem)

    def path_of(self, part: dict[str, JsonValue]) -> PropertyPath:
        """Where a map of the flow stands; the root for a map that is not in it.

        A map that aliases put into several places is named where it is a task or trigger.
        """
        return self._all_paths().get(id(part), ())

    def stand_in(self, part: dict[str, JsonValue], completed: dict[str, JsonValue]) -> None:
        """Take note that a part is read from another map, which holds more than is written."""
        place = self.path_of(part)
        for path, value in _maps(completed):
            self._all_paths().setdefault(id(value), (*place, *path))
        self._stand_ins.append(completed)  # a map is known by its identity, which must not come again

    def _all_paths(self) -> dict[int, PropertyPath]:
        if self._paths is None:
            parts = {name: self._raw[name] for name in (*TASK_LISTS, "triggers") if name in self._raw}
            self._paths = {}
            for path, value in _maps({**parts, **self._raw}):
                self._paths.setdefault(id(value), path)
        return self._paths

    def of_severity(self, severity: Severity) -> tuple[Problem, ...]:
        """What was noted, in the order in which it was found."""
        return tuple(problem for problem in self._problems.values() if problem.severity is severity)

    def _nearest(self, path: PropertyPath, finding: Finding) -> str | None:
        """What was probably meant; the search is dear, so it is made for a limited number of names."""
        name = path[-1] if finding.code is ProblemCode.UNKNOWN_PROPERTY and path else self._value_at(path)
        if not finding.candidates or not isinstance(name, str) or len(name) > _LONGEST_NAME:
            return None
        self._searches += 1
        return nearest(name, sorted(finding.candidates)) if self._searches <= _MOST_SEARCHES else None

    def _value_at(self, path: PropertyPath) -> JsonValue:
        value: JsonValue = self._raw
        for part in path:
            if has_member(value, part):
                value = value[part]
        return value

    def _kestra_path(self, path: PropertyPath, finding: Finding) -> str | None:
        owner, length = self._owner_of(path)
        if owner is not None:
            named = format_path((owner, *path[length:]))
        else:
            named = format_path(path)
        if finding.rule is not None:
            named = f"{named.rpartition('.')[0]}.{finding.rule}"
        return named or None

    def _owner_of(self, path: PropertyPath) -> tuple[str | None, int]:
        """The id of the task or input that the property belongs to, and the length of its path."""
        value: JsonValue = self._raw
        last: JsonValue = value if path else None
        length = 0
        for index, part in enumerate(path):
            if not has_member(value, part):
                break
            value = value[part]
            if not isinstance(value, dict):
                continue
            if id(value) in self._owners or index < len(path) - 1:
                last, length = value, index + 1
        if id(last) in self._owners and isinstance(last, dict):
            name = scalar_as_text(last.get("id"))
            if isinstance(name, str) and name.strip():
                return name, length
        return None, 0


def _constraint(finding: Finding, path: str, kestra_path: str | None, line: int) -> str:
    words = finding.constraint or finding.message
    if finding.code is ProblemCode.WRONG_TYPE:
        place = f"(through reference chain: {path}) (at line {line})"
        return f"{_DESERIALIZATION_PREFIX}{words} {place}"
    if kestra_path is None:
        return words
    lines = [f"{kestra_path}: {words}"]
    if finding.also is not None:
        lines.append(f"{kestra_path}: {finding.also}")
    return "\n".join(lines)


def _maps(root: JsonValue) -> Iterator[tuple[PropertyPath, dict[str, JsonValue]]]:
    """Every map with its path, in the order in which they are written."""
    pending: list[tuple[PropertyPath, JsonValue]] = [((), root)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict):
            yield path, value
            pending.extend(((*path, key), member) for key, member in reversed(value.items()))
        elif isinstance(value, list):
            pending.extend(((*path, index), value[index]) for index in reversed(range(len(value))))
