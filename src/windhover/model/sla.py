"""Service-level agreements: what must hold while an execution runs.

Documentation page: ``docs/limits.md``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from windhover.model.definition import Definition, DurationText, NonEmptyText
from windhover.model.labels import Labels


class SlaBehavior(StrEnum):
    """What a breach does to the execution; NONE only logs and labels it."""

    FAIL = "FAIL"
    CANCEL = "CANCEL"
    NONE = "NONE"


class SlaBase(Definition):
    """What all agreements have. ``labels`` are put on the execution when it breaks the agreement."""

    id: NonEmptyText
    behavior: SlaBehavior
    labels: Labels = ()


class MaxDurationSla(SlaBase):
    """The execution ends within ``duration``."""

    type: Literal["MAX_DURATION"]
    duration: DurationText


class ExecutionAssertionSla(SlaBase):
    """An expression stays true; it is looked at whenever the execution changes."""

    type: Literal["EXECUTION_ASSERTION"]
    assert_: Annotated[NonEmptyText, Field(alias="assert")]


Sla = Annotated[MaxDurationSla | ExecutionAssertionSla, Field(discriminator="type")]
