"""What can go wrong when a template is read or rendered."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property


class ExpressionError(Exception):
    """Base of every error of the expression language.

    ``line`` (from 1) and ``column`` (from 1) say where in the template, as far as it is known.
    """

    def __init__(self, message: str, *, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return self.message


class TemplateSyntaxError(ExpressionError):
    """The template is not well-formed; ``expected`` names what should have stood there, if that is known."""

    def __init__(
        self, reason: str, source: str, line: int, column: int, *, expected: str | None = None
    ) -> None:
        super().__init__(f"{reason} ({source}:{line}) at column {column}", line=line, column=column)
        self.reason = reason
        self.expected = expected


class UndefinedError(ExpressionError):
    """A variable, or a member of one, does not exist.

    ``of_json_text`` says that a member was asked for of text that looks like JSON.
    ``catchable`` turns false once an operator that cannot do without the value has seen the error: ``??``,
    ``default`` and ``is defined`` then no longer replace it.
    """

    def __init__(
        self,
        name: str,
        source: str,
        line: int,
        column: int,
        candidates: Iterable[object] = (),
        *,
        of_json_text: bool = False,
    ) -> None:
        super().__init__("", line=line, column=column)
        self._of_json_text = of_json_text
        self.name = name
        self.source = source
        self.catchable = True
        self._candidates = candidates

    @cached_property
    def suggestion(self) -> str | None:
        """The existing name that was most likely meant, if any comes near."""
        return nearest_name(self.name, self._candidates)

    def __str__(self) -> str:
        message = f"Unable to find `{self.name}` used in the expression `{self.source}` at line {self.line}"
        if self._of_json_text:
            return f"{message}. What it is looked for in is text; `fromJson` reads the JSON in it."
        return message if self.suggestion is None else f"{message}. Did you mean `{self.suggestion}`?"


class EvaluationError(ExpressionError):
    """An operator, filter, test or function refused its operands."""

    def locate(self, source: str, line: int, column: int) -> None:
        """Adds the place of the failure, unless an inner expression has already done so."""
        if self.line is None:
            self.line, self.column = line, column
            self.message = f"{self.message} ({source}:{line})"


class LimitExceededError(EvaluationError):
    """Rendering would cost more than its limits allow: output, iterations, depth or time."""


#: Names that look alike and mean opposite things: one is no misspelling of the other.
_APART = frozenset({"inputs", "outputs"})


def nearest_name(name: str, candidates: Iterable[object]) -> str | None:
    """The candidate that was most likely meant by ``name``, or None."""
    apart = _APART if name in _APART else ()
    names = [candidate for candidate in candidates if isinstance(candidate, str) and candidate not in apart]
    if not names:
        return None
    from difflib import get_close_matches

    by_lower_case = {candidate.lower(): candidate for candidate in names[:1000]}
    matches = get_close_matches(name.lower(), by_lower_case, n=1, cutoff=0.6)
    return by_lower_case[matches[0]] if matches else None
