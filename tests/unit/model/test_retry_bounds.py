"""Retries whose bounds contradict each other are refused."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from windhover.model.execution import JsonValue
from windhover.model.retry import Retry, old_properties

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


def test_older_names_still_count() -> None:
    written = {"type": "constant", "interval": "PT1S", "maxAttempt": 3, "maxDurations": "PT1M"}
    retry = RETRY.validate_python(written)
    assert (retry.max_attempts, retry.max_duration) == (3, "PT1M")
    assert old_properties(written) == [("maxAttempt", "maxAttempts"), ("maxDurations", "maxDuration")]
