"""What a Subflow task asks for."""

from __future__ import annotations

import pytest

from windhover.core.flow.subflow import Subflow
from windhover.model.execution import JsonValue
from windhover.plugin.definition import validate_properties
from windhover.plugin.problems import InvalidProperties


@pytest.mark.parametrize("labels", [{"system.from": "me"}, [{"key": "system.from", "value": "me"}]])
def test_labels_of_the_system_are_refused_when_the_flow_is_saved(labels: JsonValue) -> None:
    with pytest.raises(InvalidProperties, match=r"offending label: system\.from=me"):
        validate_properties(Subflow, {"namespace": "n", "flowId": "f", "labels": labels})


def test_labels_with_expressions_are_left_for_later() -> None:
    labels = {"{{ a }}": "b", "c": "{{ d }}"}

    assert (
        validate_properties(Subflow, {"namespace": "n", "flowId": "f", "labels": labels})["labels"] == labels
    )
