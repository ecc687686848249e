"""Checks of the inputs before an execution is created.

Documentation page: ``docs/limits.md``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AliasChoices, Field

from windhover.model.definition import Definition, NonEmptyText


class CheckStyle(StrEnum):
    """How a failed check is shown."""

    ERROR = "ERROR"
    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    INFO = "INFO"


class CheckBehavior(StrEnum):
    """What a failed check leads to, the most restrictive first."""

    BLOCK_EXECUTION = "BLOCK_EXECUTION"
    FAIL_EXECUTION = "FAIL_EXECUTION"
    CREATE_EXECUTION = "CREATE_EXECUTION"


class Check(Definition):
    """An expression over the inputs that must be the boolean true. ``when`` is its newer name."""

    condition: Annotated[NonEmptyText, Field(validation_alias=AliasChoices("condition", "when"))]
    message: NonEmptyText
    style: CheckStyle = CheckStyle.INFO
    behavior: CheckBehavior = CheckBehavior.BLOCK_EXECUTION
