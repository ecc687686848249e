"""Labels come as a map or as a list, and become the same."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from windhover.model.execution import JsonValue, Label
from windhover.model.labels import Labels

LABELS: TypeAdapter[tuple[Label, ...]] = TypeAdapter(Labels)


@pytest.mark.parametrize(
    "written",
    [
        {"team": "a", "cost": 1, "fast": True},
        [{"key": "team", "value": "a"}, {"key": "cost", "value": 1}, {"key": "fast", "value": True}],
        (Label("team", "a"), Label("cost", "1"), Label("fast", "true")),
    ],
)
def test_both_forms_are_read(written: JsonValue) -> None:
    assert LABELS.validate_python(written) == (Label("team", "a"), Label("cost", "1"), Label("fast", "true"))


def test_the_last_of_one_key_counts_at_the_place_of_the_first() -> None:
    written = [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}, {"key": "a", "value": "3"}]
    assert LABELS.validate_python(written) == (Label("a", "3"), Label("b", "2"))


def test_a_key_without_value_in_a_map_is_left_out() -> None:
    assert LABELS.validate_python({"a": None, "b": "c"}) == (Label("b", "c"),)


def test_labels_are_shown_as_a_list() -> None:
    assert LABELS.dump_python((Label("a", "b"),)) == [{"key": "a", "value": "b"}]


def test_letters_of_any_script_may_follow_the_first() -> None:
    assert LABELS.validate_python({"größe.ß-1_a": "x"})[0].key == "größe.ß-1_a"


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("text", 1),
        ({"Team": "x"}, 1),
        ({"1a": "x"}, 1),
        ({"": "x"}, 1),
        ([{"key": "a"}, "b"], 3),
        ({"a": ["x"]}, 1),
    ],
)
def test_everything_wrong_with_labels_is_told(written: JsonValue, count: int) -> None:
    with pytest.raises(ValidationError) as refused:
        LABELS.validate_python(written)
    assert refused.value.error_count() == count
