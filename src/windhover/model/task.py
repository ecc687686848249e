"""What every task has, whatever its type.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

TASK_ID_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9_-]*"


class Definition(BaseModel):
    """Base of all parts of a flow: immutable, written in camelCase in YAML, no unknown property."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
    )


class RetryBase(Definition):
    """What all kinds of retry have."""

    max_attempts: Annotated[int, Field(ge=1)] | None = None
    max_duration: str | None = None
    warning_on_retry: bool = False
    behavior: Literal["RETRY_FAILED_TASK", "CREATE_NEW_EXECUTION"] = "RETRY_FAILED_TASK"


class ConstantRetry(RetryBase):
    """Try again after the same time each time."""

    type: Literal["constant"]
    interval: str


class ExponentialRetry(RetryBase):
    """Try again after ever longer times, up to ``maxInterval``."""

    type: Literal["exponential"]
    interval: str
    max_interval: str
    delay_factor: float = 2.0


class RandomRetry(RetryBase):
    """Try again after a random time between two bounds."""

    type: Literal["random"]
    min_interval: str
    max_interval: str


Retry = Annotated[ConstantRetry | ExponentialRetry | RandomRetry, Field(discriminator="type")]


class Task(Definition):
    """The properties that every task has.

    Text properties that may hold expressions (``timeout``, ``runIf``) are kept as written.
    """

    id: Annotated[str, Field(min_length=1, max_length=256, pattern=TASK_ID_PATTERN)]
    type: str
    version: str | None = None
    description: str | None = None
    retry: Retry | None = None
    timeout: str | None = None
    disabled: bool = False
    run_if: str = "true"
    allow_failure: bool = False
    allow_warning: bool = False
    log_level: Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR"] | None = None
    log_to_file: bool = False
