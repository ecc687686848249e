"""When a batch of events is full, and which events it has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import ValidationError

from windhover.plugin.context import RunContext
from windhover.plugin.event_batch import EventBatch
from windhover.plugin.parsing import FlowRefused, parse_flow
from windhover.plugin.registry import Registry
from windhover.plugin.task import Output
from windhover.plugin.trigger import Event, RealtimeTrigger, TriggerDefinition


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


class Seen(Output):
    number: int


class Listen(RealtimeTrigger[Seen]):
    """Hears nothing."""

    type_name = "test.Listen"

    async def events(self, ctx: RunContext) -> AsyncIterator[Event[Seen]]:
        for number in range(0):
            yield Event(Seen(number=number))


LISTENING = """\
id: seen
namespace: company.team
tasks:
  - id: hello
    type: io.kestra.plugin.core.log.Log
    message: Hello
triggers:
  - id: listen
    type: test.Listen
    {batch}
"""


def listening(batch: str) -> TriggerDefinition:
    registry = Registry()
    registry.register(Listen)
    flow = parse_flow(LISTENING.format(batch=batch), registry).flow
    (trigger,) = flow.triggers
    assert isinstance(trigger, TriggerDefinition)
    return trigger


def test_any_trigger_that_listens_may_gather() -> None:
    assert listening("batch: {maxEvents: 5}").batch == EventBatch(max_events=5)
    assert listening("batch: {}").batch == EventBatch()
    assert listening("").batch is None


@pytest.mark.parametrize(
    ("batch", "place"),
    [
        ("{maxEvents: 0}", "batch.maxEvents"),
        ("{maxBytes: much}", "batch.maxBytes"),
        ("{maxDuration: PT0S}", "batch"),
        ('{maxEvents: "{{ vars.many }}"}', "batch.maxEvents"),
        ("{maxCount: 5}", "batch.maxCount"),
        ("10", "batch"),
    ],
)
def test_a_window_that_could_never_work_is_refused_with_the_flow(batch: str, place: str) -> None:
    with pytest.raises(FlowRefused) as refused:
        listening(f"batch: {batch}")
    (problem,) = refused.value.problems
    assert problem.path == f"triggers[0].{place}"
