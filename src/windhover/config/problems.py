"""What is wrong in a configuration, where, and what would be right."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One finding about one key; never quotes the value of a secret.

    Attributes:
        key: the full key path, e.g. ``kestra.server.liveness.timeout``; empty for a file as a whole.
        source: where it was written: ``file:line:column``, an environment variable or the command line.
        message: what is wrong and, for an ill-typed value, what was expected.
        suggestion: what would be right, e.g. the nearest known key; None when nothing is near.
    """

    key: str
    source: str
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        subject = f"{self.source}: {self.key}" if self.key else self.source
        hint = f" ({self.suggestion})" if self.suggestion else ""
        return f"{subject}: {self.message}{hint}"


class ConfigurationError(Exception):
    """The configuration cannot be used; ``problems`` holds every reason, not only the first."""

    def __init__(self, problems: Iterable[ConfigProblem]) -> None:
        self.problems: list[ConfigProblem] = list(problems)
        noun = "problem" if len(self.problems) == 1 else "problems"
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f"{len(self.problems)} {noun} in the configuration:\n{lines}")
