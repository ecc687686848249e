"""How failed work is tried again.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, model_validator
from pydantic_core import PydanticCustomError

from windhover.model.definition import Definition, DurationText
from windhover.util.durations import parse_duration


def _longer_than(value: str | None, bound: str | None) -> bool:
    return value is not None and bound is not None and parse_duration(value) >= parse_duration(bound)


def _refuse(rule: str, smaller: str, larger: str) -> PydanticCustomError:
    return PydanticCustomError(
        "retry_bounds",
        "'{smaller}' must be less than '{larger}'",
        {"rule": rule, "smaller": smaller, "larger": larger},
    )


_OLD_PROPERTIES = {"maxAttempt": "maxAttempts", "maxDurations": "maxDuration"}


def old_properties(retry: object) -> list[tuple[str, str]]:
    """The old names that a retry is written with, each with the name of today."""
    if not isinstance(retry, dict):
        return []
    return [(old, today) for old, today in _OLD_PROPERTIES.items() if old in retry]


class RetryBase(Definition):
    """What all kinds of retry have.

    ``maxAttempts`` counts all tries with the first; ``maxDuration`` the time since it began.
    """

    max_attempts: Annotated[int, Field(ge=1)] | None = Field(
        default=None, validation_alias=AliasChoices("maxAttempts", "maxAttempt")
    )
    max_duration: DurationText | None = Field(
        default=None, validation_alias=AliasChoices("maxDuration", "maxDurations")
    )
    warning_on_retry: bool = False
    behavior: Literal["RETRY_FAILED_TASK", "CREATE_NEW_EXECUTION"] = "RETRY_FAILED_TASK"


class ConstantRetry(RetryBase):
    """Try again after the same time each time."""

    type: Literal["constant"]
    interval: DurationText

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if _longer_than(self.interval, self.max_duration):
            raise _refuse("intervalLessThanMaxDuration", "interval", "maxDuration")
        return self


class ExponentialRetry(RetryBase):
    """Try again after ever longer times, up to ``maxInterval``."""

    type: Literal["exponential"]
    interval: DurationText
    max_interval: DurationText
    delay_factor: float = 2.0

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if _longer_than(self.interval, self.max_duration):
            raise _refuse("intervalLessThanMaxDuration", "interval", "maxDuration")
        if _longer_than(self.interval, self.max_interval):
            raise _refuse("intervalLessThanMaxInterval", "interval", "maxInterval")
        return self


class RandomRetry(RetryBase):
    """Try again after a random time between two bounds."""

    type: Literal["random"]
    min_interval: DurationText
    max_interval: DurationText

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if _longer_than(self.min_interval, self.max_duration):
            raise _refuse("minIntervalLessThanMaxDuration", "minInterval", "maxDuration")
        if _longer_than(self.max_interval, self.max_duration):
            raise _refuse("maxIntervalLessThanMaxDuration", "maxInterval", "maxDuration")
        if _longer_than(self.min_interval, self.max_interval):
            raise _refuse("minIntervalLessThanMaxInterval", "minInterval", "maxInterval")
        return self


#: Any of the three kinds, told apart by ``type``.
Retry = Annotated[ConstantRetry | ExponentialRetry | RandomRetry, Field(discriminator="type")]
