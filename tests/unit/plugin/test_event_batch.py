"""When a batch of events is full, and which events it has."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from windhover.plugin.event_batch import EventBatch


def test_the_limits_are_read_as_people_write_them() -> None:
    batch = EventBatch.model_validate({"maxEvents": 5, "maxBytes": "2KB", "maxDuration": "PT10S"})
    assert (batch.max_events, batch.max_bytes, batch.max_duration) == (5, 2048, timedelta(seconds=10))


def test_each_limit_has_a_default() -> None:
    batch = EventBatch.model_validate({})
    assert (batch.max_events, batch.max_bytes, batch.max_duration) == (
        1000,
        4 * 1024**2,
        timedelta(minutes=1),
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"maxEvents": 0},
        {"maxEvents": 10_001},
        {"maxBytes": 0},
        {"maxBytes": "much"},
        {"maxDuration": "PT0S"},
        {"maxDuration": "soon"},
        {"maxCount": 5},
    ],
)
def test_what_could_never_work_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EventBatch.model_validate(wrong)


def test_a_batch_is_full_by_count_or_by_bytes() -> None:
    batch = EventBatch(max_events=3, max_bytes=100)
    assert not batch.is_full(2, 99)
    assert batch.is_full(3, 0)
    assert batch.is_full(1, 100)


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        ([], 0),
        ([10, 10], 2),
        ([10, 10, 10, 10], 3),
        ([60, 40, 1], 2),
        ([60, 41, 1], 1),
        ([500, 1], 1),
        ([1, 500], 1),
    ],
)
def test_a_batch_ends_before_the_event_that_does_not_fit(sizes: list[int], count: int) -> None:
    assert EventBatch(max_events=3, max_bytes=100).cut(sizes) == count
