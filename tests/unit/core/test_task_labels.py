"""Labels as tasks write them, once they are rendered."""

from __future__ import annotations

import pytest

from windhover.core.labels import read_labels
from windhover.model.execution import JsonValue, Label


@pytest.mark.parametrize(
    "written",
    [
        {"a": "1", "b": 2, "": "x"},
        [{"key": "a", "value": "0"}, {"key": "a", "value": 1}, {"key": "b", "value": 2}],
    ],
)
def test_both_forms_are_read_and_what_has_no_key_is_left_out(written: JsonValue) -> None:
    assert read_labels(written) == (Label("a", "1"), Label("b", "2"))  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [None, ""])
def test_a_label_without_a_value_is_refused_or_left_out(value: JsonValue) -> None:
    with pytest.raises(ValueError, match="Label values cannot be empty, offending label: a"):
        read_labels({"a": value})
    assert read_labels({"a": value, "b": "1"}, allow_empty=True) == (Label("b", "1"),)


def test_labels_of_the_system_are_refused() -> None:
    with pytest.raises(ValueError, match=r"offending label: system\.x=y"):
        read_labels({"system.x": "y"}, allow_empty=True)
