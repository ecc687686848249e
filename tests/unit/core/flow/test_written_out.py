"""What a flow-control task says without an expression is looked at when the flow is saved."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pydantic import TypeAdapter, ValidationError

from windhover.core.concurrency import RenderedCount
from windhover.core.flow.pause import Pause
from windhover.model.definition import RenderedDuration


@pytest.mark.parametrize("written", ["PT5M", 90, "0.5", "", "{{ inputs.wait }}", "{% if x %}PT1M{% endif %}"])
def test_durations_that_can_be_read(written: object) -> None:
    TypeAdapter(RenderedDuration).validate_python(written)


@pytest.mark.parametrize("written", ["5m", "soon", "P1M", "1 minute"])
def test_durations_that_cannot(written: str) -> None:
    with pytest.raises(ValidationError, match=f"`{written}` is not an ISO-8601 duration"):
        TypeAdapter(RenderedDuration).validate_python(written)


@pytest.mark.parametrize("written", [0, 3, "3", "-1", "{{ vars.limit }}"])
def test_counts_that_can_be_read(written: object) -> None:
    assert TypeAdapter(RenderedCount).validate_python(written) == written


@pytest.mark.parametrize("written", ["lots", "1.5", ""])
def test_counts_that_cannot(written: str) -> None:
    with pytest.raises(ValidationError, match=f"must be a whole number, not `{written}`"):
        TypeAdapter(RenderedCount).validate_python(written)


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"behavior": "GO"}, "there is no behavior `GO`; there are RESUME, WARN, CANCEL, FAIL"),
        ({"behavior": "EXPIRE"}, "there is no behavior `EXPIRE`"),  # which is the engine's own
        ({"pauseDuration": "soon"}, "`soon` is not an ISO-8601 duration"),
        ({"timeout": "soon"}, "`soon` is not an ISO-8601 duration"),
    ],
)
def test_pauses_that_could_never_end_so(properties: Mapping[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Pause.model_validate({"id": "a", "type": Pause.type_name, **properties})


def test_a_behavior_may_be_written_in_any_case() -> None:
    Pause.model_validate({"id": "a", "type": Pause.type_name, "behavior": "warn"})
