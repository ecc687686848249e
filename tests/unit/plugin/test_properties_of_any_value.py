"""Whatever is written as a property, it is accepted or refused with a reason; nothing else can happen."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from windhover.plugin.context import RunContext
from windhover.plugin.definition import bind_properties, validate_properties
from windhover.plugin.problems import InvalidProperties
from windhover.plugin.task import RunnableTask
from windhover.plugin.templated import has_template
from windhover.plugin.types import DateTime, Duration, Static

EXPRESSION = "{{ x }}"


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    a: int = 1
    b: "list[Inner]" = Field(default_factory=list)


class Anyhow(RunnableTask[None]):
    type_name = "test.Anyhow"

    text: str = ""
    texts: str | list[str] = ""
    number: Annotated[int, Field(ge=0)] = 0
    flag: bool = False
    wait: Duration = timedelta()
    date: DateTime | None = None
    choice: Literal["A", "B"] = "A"
    counts: dict[str, int] = Field(default_factory=dict)
    inner: Inner | None = None
    either: int | Inner | list[int] | None = None
    fixed: Static[int] = 0

    def run(self, ctx: RunContext) -> None: ...


names = st.sampled_from(list(Anyhow.model_fields)) | st.sampled_from(["a", "b", "Text", ""])
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from([EXPRESSION, "5", "PT5S", "[1, 2]", '{"a": 1}', "A", "2024-01-01T00:00:00Z", "true"])
)
values: st.SearchStrategy[Any] = leaves | st.deferred(
    lambda: st.lists(values, max_size=3) | st.dictionaries(names, values, max_size=3)
)


def accepted(raw: dict[str, Any]) -> bool:
    try:
        validate_properties(Anyhow, raw)
    except InvalidProperties as error:
        if not error.problems or not all(problem.message for problem in error.problems):
            raise AssertionError("refused without a reason") from error
        return False
    return True


@given(st.dictionaries(names, values, max_size=4))
def test_a_value_is_accepted_or_refused_with_a_reason(raw: dict[str, Any]) -> None:
    accepted(raw)


@given(st.dictionaries(names, values, max_size=4))
def test_what_holds_no_expression_is_accepted_exactly_if_it_can_run(raw: dict[str, Any]) -> None:
    if has_template(raw):
        return
    try:
        bind_properties(Anyhow, raw)
    except InvalidProperties:
        assert not accepted(raw)
    else:
        assert accepted(raw)


@given(st.dictionaries(names, values, max_size=4), names)
def test_an_expression_instead_of_a_value_does_no_harm(raw: dict[str, Any], name: str) -> None:
    if name in raw and name != "fixed" and accepted(raw):
        assert accepted({**raw, name: EXPRESSION})
