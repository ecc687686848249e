"""What the tasks that purge versioned things have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from windhover.model.definition import Definition
from windhover.model.purge import VersionPurge
from windhover.plugin.task import TaskFailure
from windhover.plugin.types import DateTime
from windhover.util.glob_pattern import compile_glob, compile_wildcard


class VersionBehavior(Definition):
    """Delete old versions and keep the latest: all but ``keepAmount``, or those from before an instant."""

    type: Literal["version"] = "version"
    before: DateTime | None = None
    keep_amount: Annotated[int | None, Field(ge=0)] = None

    def purge(self) -> VersionPurge:
        """What to delete.

        Raises:
            TaskFailure: nothing is said.
        """
        if self.before is None and self.keep_amount is None:
            raise TaskFailure("The behavior `version` needs `before` or `keepAmount`")
        return VersionPurge(self.before, self.keep_amount)


def purged_namespaces(
    known: Sequence[str],
    namespaces: Sequence[str] | None,
    pattern: str | None,
    *,
    children: bool,
) -> list[str]:
    """Those of the known namespaces that are named, with ``children`` those below them too, or that match.

    All where nothing is said.

    Raises:
        TaskFailure: both ways to choose are used.
    """
    if namespaces and pattern:
        raise TaskFailure("Use either `namespaces` or `namespacePattern`")
    if namespaces:
        return [
            name
            for name in known
            if name in namespaces
            or (children and any(name.startswith(f"{parent}.") for parent in namespaces))
        ]
    if not pattern:
        return list(known)
    matches = compile_glob(pattern).fullmatch
    return [name for name in known if matches(name)]


def name_filter(pattern: str | None) -> Callable[[str], bool]:
    """Whether a key or path matches, slashes being as any character; all do where there is no pattern."""
    if not pattern:
        return lambda name: True
    compiled = compile_wildcard(pattern)
    return lambda name: compiled.fullmatch(name) is not None
