"""How many executions of a flow may run at once.

Documentation page: ``docs/concurrency.md``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from windhover.model.definition import Definition, DurationText, whole_number


class ConcurrencyBehavior(StrEnum):
    """What becomes of an execution for which there is no room."""

    QUEUE = "QUEUE"
    CANCEL = "CANCEL"
    FAIL = "FAIL"


class Concurrency(Definition):
    """At most ``limit`` executions of the flow at once, all revisions together.

    With ``max_wait`` an execution that waits for its turn longer ends as FAILED.
    """

    limit: Annotated[int, BeforeValidator(whole_number), Field(ge=1)]
    behavior: ConcurrencyBehavior = ConcurrencyBehavior.QUEUE
    max_wait: DurationText | None = None
