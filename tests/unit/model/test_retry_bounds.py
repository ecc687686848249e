"""Retries whose bounds contradict each other are refused."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from windhover.model.execution import JsonValue
from windhover.model.retry import Retry

RETRY: TypeAdapter[Retry] = TypeAdapter(Retry)


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "constant", "interval": "PT1S"},
        {"type": "constant", "interval": 5, "maxAttempt": 3},
        {"type": "constant", "interval": "PT1S", "maxDuration": "PT2S"},
        {"type": "exponential", "interval": "PT1S", "maxInterval": "PT2S", "delayFactor": 1.5},
        {"type": "random", "minInterval": "PT1S", "maxInterval": "PT2S", "maxDuration": "P1D"},
    ],
)
def test_bounds_in_order_are_accepted(raw: JsonValue) -> None:
    assert RETRY.validate_python(raw).type == raw["type"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            {"type": "constant", "interval": "PT2S", "maxDuration": "PT2S"},
            "'interval' must be less than 'maxDuration'",
        ),
        (
            {"type": "exponential", "interval": "PT2S", "maxInterval": "PT1S"},
            "'interval' must be less than 'maxInterval'",
        ),
        (
            {"type": "random", "minInterval": "PT2S", "maxInterval": "PT1S"},
            "'minInterval' must be less than 'maxInterval'",
        ),
        (
            {"type": "random", "minInterval": "PT1S", "maxInterval": "PT3S", "maxDuration": "PT2S"},
            "'maxInterval' must be less than 'maxDuration'",
        ),
    ],
)
def test_bounds_out_of_order_are_refused(raw: JsonValue, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RETRY.validate_python(raw)


def test_the_older_name_of_max_attempts_still_counts() -> None:
    assert RETRY.validate_python({"type": "constant", "interval": "PT1S", "maxAttempt": 3}).max_attempts == 3
