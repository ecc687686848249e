"""What a rendering sees and what it may cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from windhover.expression.errors import EvaluationError, LimitExceededError
from windhover.expression.port import ServerPort


class Limits(msgspec.Struct, frozen=True):
    """Bounds of one rendering; passing one raises LimitExceededError.

    max_output: characters of the result, or of any text built on the way.
    max_iterations: turns of all ``for`` loops together, and elements of one ``range``.
    max_depth: macros and nested renderings inside one another.
    max_passes: passes of recursive rendering until the text no longer changes.
    max_seconds: wall time of the whole rendering, without what the server takes to answer.
    regex_seconds: wall time of one match of a regular expression.
    """

    max_output: int = 64 * 1024 * 1024
    max_iterations: int = 1_000_000
    max_depth: int = 60
    max_passes: int = 100
    max_seconds: float = 60.0
    regex_seconds: float = 10.0


DEFAULT_LIMITS = Limits()


def _now() -> datetime:
    return datetime.now(UTC)


class Scope:
    """Variables, server access and limits for rendering templates.

    ``variables`` may build its values on demand in ``__getitem__``: a template pays only for what it names.
    ``zone`` is the time zone that dates without one are in. With ``recursive`` a result is rendered again
    until it no longer changes, as ``kestra.variables.recursive-rendering`` asks; ``render()`` does not exist
    then.

    ``secrets`` collects every secret that a rendering has read, so that logs can mask it. With
    ``mask_secrets`` the functions that give secrets give ``******`` instead, so that no filter can bring one
    to light.
    """

    __slots__ = ("clock", "limits", "mask_secrets", "port", "recursive", "secrets", "variables", "zone")

    def __init__(
        self,
        variables: Mapping[str, object],
        port: ServerPort | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
        clock: Callable[[], datetime] = _now,
        zone: str = "UTC",
        recursive: bool = False,
        mask_secrets: bool = False,
    ) -> None:
        self.variables = variables
        self.port = port
        self.limits = limits
        self.clock = clock
        self.zone = zone
        self.recursive = recursive
        self.mask_secrets = mask_secrets
        self.secrets: set[str] = set()


class Budget:
    """What one rendering, with all it renders inside, has used up."""

    __slots__ = ("deadline", "depth", "iterations", "limits")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.depth = 0
        self.iterations = 0
        self.deadline = time.monotonic() + limits.max_seconds

    def iterate(self, turns: int) -> None:
        """Counts turns of a loop, and looks at the clock."""
        self.iterations += turns
        if self.iterations > self.limits.max_iterations:
            raise LimitExceededError(f"More than {self.limits.max_iterations} iterations in one template")
        self.check_time()

    def check_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise LimitExceededError(f"Rendering took longer than {self.limits.max_seconds:g} seconds")

    def remaining_seconds(self) -> float:
        """Wall time that is left, never negative."""
        return max(0.0, self.deadline - time.monotonic())

    def check_size(self, characters: int) -> None:
        if characters > self.limits.max_output:
            raise LimitExceededError(f"The text grew beyond {self.limits.max_output} characters")

    def enter(self) -> None:
        """Goes one level down, into a macro or a nested rendering."""
        self.depth += 1
        if self.depth > self.limits.max_depth:
            raise LimitExceededError(
                f"Macros and renderings are nested more than {self.limits.max_depth} levels deep"
            )
        self.check_time()

    def leave(self) -> None:
        self.depth -= 1


class Frame:
    """The state of one rendering of one template, which its compiled parts work on.

    ``variables`` are the scope's, or those of the surrounding rendering; ``locals`` those that the template
    has set itself; ``raw_texts`` is where raw blocks are kept aside during recursive rendering.
    """

    __slots__ = ("blocks", "budget", "locals", "raw_texts", "scope", "variables")

    def __init__(
        self,
        scope: Scope,
        variables: Mapping[str, object] | None = None,
        budget: Budget | None = None,
        raw_texts: list[str] | None = None,
    ) -> None:
        self.scope = scope
        self.variables = scope.variables if variables is None else variables
        self.locals: dict[str, object] = {}
        self.blocks: dict[str, Callable[[Frame], str]] = {}
        self.budget = Budget(scope.limits) if budget is None else budget
        self.raw_texts = raw_texts

    def visible(self) -> Mapping[str, object]:
        """All variables, the template's own first."""
        if not self.locals:
            return self.variables
        return Layered(self.locals, self.variables)

    def port(self, function: str) -> ServerPort:
        """The server, for a function that cannot do without it."""
        port = self.scope.port
        if port is None:
            raise EvaluationError(
                f"The function '{function}' needs a running server and is not available here"
            )
        return port


class Layered(Mapping[str, object]):
    """One mapping over another, without copying either."""

    __slots__ = ("_lower", "_upper")

    def __init__(self, upper: Mapping[str, object], lower: Mapping[str, object]) -> None:
        self._upper = upper
        self._lower = lower

    def __getitem__(self, name: str) -> object:
        if name in self._upper:
            return self._upper[name]
        return self._lower[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._lower
        yield from (name for name in self._upper if name not in self._lower)

    def __len__(self) -> int:
        return len(set(self._lower) | set(self._upper))
