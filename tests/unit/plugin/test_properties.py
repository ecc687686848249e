"""Properties are checked when a flow is saved, expressions let through, and bound once rendered."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
import typing_extensions
from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator
from pydantic.alias_generators import to_camel

from windhover.model.log import LogLevel
from windhover.model.problem import ProblemCode
from windhover.plugin.context import RunContext
from windhover.plugin.definition import bind_properties, static_properties, validate_properties
from windhover.plugin.problems import InvalidProperties
from windhover.plugin.task import RunnableTask
from windhover.plugin.types import Duration, Level, Static

ItemT = TypeVar("ItemT")


class Colour(Enum):
    RED = "RED"
    GREEN = "GREEN"


class Basic(BaseModel):
    type: Literal["BASIC"]
    username: str
    port: int = 80


class Bearer(BaseModel):
    type: Literal["BEARER", "TOKEN"]
    token: str


class Leaf(BaseModel):
    kind: Literal["leaf", "end"]
    size: int


class Branch(BaseModel):
    kind: Literal["branch"]
    children: "list[Annotated[Leaf | Branch, Field(discriminator='kind')]]"


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)

    max_retries: Annotated[int, Field(ge=1)] = 1
    codes: list[int] = []
    auth: Annotated[Basic | Bearer, Field(discriminator="type")] | None = None
    also: "Options | None" = None


@dataclass
class Point:
    x: int


class Place(typing_extensions.TypedDict):
    floor: int


class Numbers(RootModel[list[int]]):
    pass


class Holder(BaseModel, Generic[ItemT]):
    item: ItemT


class Sample(RunnableTask[None]):
    type_name = "test.Sample"

    message: str | list[str]
    level: Level = LogLevel.INFO
    wait_time: Duration | None = None
    count: Annotated[int, Field(ge=0)] = 0
    ratio: float = 0.5
    enabled: bool = True
    colour: Colour | None = None
    tags: dict[str, int] = Field(default_factory=dict)
    words: tuple[str, ...] = ()
    options: Options | None = None
    number_or_options: int | Options | None = None
    anything: Any = None
    tree: Annotated[Leaf | Branch, Field(discriminator="kind")] | None = None
    point: Point | None = None
    place: Place | None = None
    numbers: Numbers | None = None
    holder: Holder[int] | None = None
    pair: tuple[int, str] | None = None
    when: datetime | None = None
    choice: Literal["A", "B"] = "A"
    text: str = ""
    fixed: Static[int] = 3
    literally: Static[str] = ""

    def run(self, ctx: RunContext) -> None: ...


class EitherOr(RunnableTask[None]):
    type_name = "test.EitherOr"

    rows: int | None = None
    size: str | None = None

    @model_validator(mode="after")
    def _one(self) -> "EitherOr":
        if self.rows is None and self.size is None:
            raise ValueError("`rows` or `size` must be set")
        if self.size is not None and not self.size.endswith("B"):
            raise ValueError("`size` must end with B")
        return self

    def run(self, ctx: RunContext) -> None: ...


def problems(cls: type[BaseModel] = Sample, /, **raw: object) -> list[str]:
    try:
        validate_properties(cls, raw)
    except InvalidProperties as error:
        return [str(problem) for problem in error.problems]
    return []


def bound(**rendered: object) -> Sample:
    return bind_properties(Sample, {"message": "m", **rendered})


@pytest.mark.parametrize(
    "raw",
    [
        {"message": "{{ x }}"},
        {"message": ["{{ x }}", "b"]},
        {"level": "{{ x }}", "count": "{{ x }}", "enabled": "{% if x %}true{% endif %}"},
        {"waitTime": "PT{{ x }}S", "ratio": "{{ x }}", "colour": "{{ x }}"},
        {"tags": "{{ x }}", "words": "{{ x }}", "options": "{{ x }}"},
        {"tags": {"a": "{{ x }}", "{{ x }}": 1}},
        {"options": {"maxRetries": "{{ x }}", "codes": ["{{ x }}", 200]}},
        {"options": {"auth": {"type": "BASIC", "username": "{{ x }}", "port": "{{ x }}"}}},
        {"options": {"auth": {"type": "TOKEN", "token": "{{ x }}"}}},
        {"tree": {"kind": "branch", "children": [{"kind": "leaf", "size": "{{ x }}"}]}},
        {"tree": {"kind": "branch", "children": [{"kind": "branch", "children": ["{{ x }}"]}]}},
        {"options": {"also": {"also": {"codes": "{{ x }}"}}}},
        {"numberOrOptions": {"maxRetries": "{{ x }}"}},
        {"options": '{"maxRetries": "{{ x }}"}'},
        {"literally": "{{ x }}"},
        {"point": {"x": "{{ x }}"}, "place": {"floor": "{{ x }}"}, "numbers": ["{{ x }}", 1]},
        {"holder": {"item": "{{ x }}"}, "pair": ["{{ x }}", "a"], "when": "{{ x }}", "choice": "{{ x }}"},
    ],
)
def test_expressions_pass_wherever_a_value_is_dynamic(raw: dict[str, object]) -> None:
    assert problems(**{"message": "m", **raw}) == []


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"message": {"a": 1}}, 'message: must be text or a list, not `{"a": 1}`'),
        ({"level": "LOUD"}, "level: `LOUD` is not a log level (TRACE, DEBUG, INFO, WARN, ERROR)"),
        ({"level": "INF"}, "did you mean INFO?"),
        ({"waitTime": "soon"}, "waitTime: `soon` is not an ISO-8601 duration such as PT30S"),
        ({"count": "many"}, "count: must be a whole number, not `many`"),
        ({"count": 1.5}, "count: must be a whole number, not `1.5`"),
        ({"count": -1}, "count: must be greater than or equal to 0"),
        ({"enabled": "maybe"}, "enabled: must be true or false, not `maybe`"),
        ({"colour": "REED"}, "colour: must be one of RED, GREEN, not `REED` (did you mean RED?)"),
        ({"tags": {"a": "x"}}, "tags.a: must be a whole number, not `x`"),
        ({"tags": [1]}, "tags: must be a map, not `[1]`"),
        ({"words": "no list"}, "words: must be a list, not `no list`"),
        ({"options": {"codes": [1, "x"]}}, "options.codes[1]: must be a whole number, not `x`"),
        ({"options": {"maxRetries": 0}}, "options.maxRetries: must be greater than or equal to 1"),
        ({"options": {"also": {"nope": 1}}}, 'options.also.nope: Unrecognized field "nope"'),
        (
            {"tree": {"kind": "branch", "children": [{"kind": "leaf", "size": "a"}]}},
            "tree.children[0].size: must be a whole number, not `a`",
        ),
        ({"options": {"auth": {"type": "NOPE"}}}, "Invalid type: NOPE"),
        ({"options": {"auth": {"type": "BEARER"}}}, "options.auth.token: must not be null"),
        ({"numberOrOptions": {"maxRetries": "x"}}, "numberOrOptions.maxRetries: must be a whole number"),
        ({"point": {"x": "a"}}, "point.x: must be a whole number, not `a`"),
        ({"place": {"floor": "a"}}, "place.floor: must be a whole number, not `a`"),
        ({"numbers": [1, "a"]}, "numbers[1]: must be a whole number, not `a`"),
        ({"holder": {"item": "a"}}, "holder.item: must be a whole number, not `a`"),
        ({"pair": [1]}, "pair[1]: must not be null"),
        ({"when": [1]}, "when: must be a valid datetime, not `[1]`"),
        ({"choice": "C"}, "choice: must be one of A, B, not `C`"),
        ({"fixed": "{{ x }}"}, "fixed: must be a whole number, not `{{ x }}`"),
        ({"mesage": 1}, 'mesage: Unrecognized field "mesage" (did you mean message?)'),
    ],
)
@pytest.mark.parametrize("beside", [{}, {"text": "{{ x }}"}], ids=["literal", "beside an expression"])
def test_what_is_wrong_is_named_with_place_value_and_expectation(
    raw: dict[str, object], expected: str, beside: dict[str, object]
) -> None:
    (problem,) = problems(**{"message": "m", **raw, **beside})

    assert expected in problem


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidProperties) as caught:
        validate_properties(Sample, {"count": "x", "tags": {"a": "y", "b": "z"}, "formt": 1})

    found = {problem.path: problem for problem in caught.value.problems}
    assert set(found) == {"message", "count", "tags.a", "tags.b", "formt"}
    assert found["message"].code is ProblemCode.MISSING
    assert found["message"].message == "must not be null"
    assert found["formt"].code is ProblemCode.UNKNOWN_PROPERTY
    assert found["count"].code is ProblemCode.WRONG_TYPE


def test_a_property_without_a_value_counts_as_not_written() -> None:
    assert validate_properties(Sample, {"message": "m", "count": None}) == {"message": "m"}
    assert problems(message=None) == ["message: must not be null"]


def test_blank_text_is_no_number_or_duration_and_so_not_given_where_these_may_be_missing() -> None:
    class Waiting(BaseModel):
        rows: int | None = None
        wait: Duration | None = None
        note: str | None = None
        often: int = 3

    found = bind_properties(Waiting, {"rows": "", "wait": " ", "note": ""})
    assert (found.rows, found.wait, found.note) == (None, None, "")
    with pytest.raises(InvalidProperties, match="often"):
        bind_properties(Waiting, {"often": ""})


def test_properties_are_kept_as_written_under_the_names_of_flows() -> None:
    kept = validate_properties(Sample, {"message": 42, "wait_time": "PT5S", "tags": '{"a": 1}'})

    assert kept == {"message": 42, "waitTime": "PT5S", "tags": '{"a": 1}'}


def test_the_rules_of_a_class_hold_for_values_and_wait_for_expressions() -> None:
    assert problems(EitherOr) == ["`rows` or `size` must be set"]
    assert problems(EitherOr, size="10") == ["`size` must end with B"]
    assert problems(EitherOr, size="{{ x }}") == []
    with pytest.raises(InvalidProperties, match="must end with B"):
        bind_properties(EitherOr, {"size": "10"})


@pytest.mark.parametrize(
    ("name", "rendered", "value"),
    [
        ("message", 42, "42"),
        ("message", True, "true"),
        ("message", ["a", 1, False], ["a", "1", "false"]),
        ("message", "[1]", "[1]"),
        ("text", {"a": [1, None]}, '{"a":[1,null]}'),
        ("text", 1.5, "1.5"),
        ("level", "WARN", LogLevel.WARN),
        ("wait_time", "PT5S", timedelta(seconds=5)),
        ("count", "5", 5),
        ("ratio", "0.25", 0.25),
        ("enabled", "false", False),
        ("colour", "GREEN", Colour.GREEN),
        ("tags", '{"a": "1"}', {"a": 1}),
        ("words", '["a", 2]', ("a", "2")),
        ("words", ["a", None], ("a", "")),
        ("words", [{"a": 1}], ('{"a":1}',)),
        ("options", '{"maxRetries": "4", "codes": "[200]"}', Options(max_retries=4, codes=[200])),
        ("number_or_options", "7", 7),
        ("number_or_options", '{"maxRetries": 2}', Options(max_retries=2)),
        ("anything", {"a": [1]}, {"a": [1]}),
        (
            "options",
            {"auth": {"type": "BASIC", "username": 5}},
            Options(auth=Basic(type="BASIC", username="5")),
        ),
    ],
)
def test_rendered_values_are_read_into_the_type_of_their_property(
    name: str, rendered: object, value: object
) -> None:
    assert getattr(bound(**{name: rendered}), name) == value


def test_a_rendered_value_that_does_not_fit_is_named() -> None:
    with pytest.raises(InvalidProperties, match="count: must be a whole number, not `many`"):
        bound(count="many")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[1, NaN]", "[1"], ids=["too deep to be read", "no number of JSON", "cut off"]
)
def test_text_that_is_no_json_is_told_as_such(text: str) -> None:
    with pytest.raises(InvalidProperties, match="words: must be a list, not"):
        bound(words=text)
    assert problems(message="m", words=text)[0].startswith("words: must be a list, not")


def test_depth_does_no_harm() -> None:
    deep: object = "{{ x }}"
    for _ in range(50_000):
        deep = [deep]

    assert problems(message="m", anything=deep, count="{{ x }}") == []


def test_enums_may_count_by_names_where_their_values_are_no_text() -> None:
    class Size(Enum):
        SMALL = 1
        LARGE = 2

    class Sized(RunnableTask[None]):
        size: Size

        def run(self, ctx: RunContext) -> None: ...

    assert bind_properties(Sized, {"size": "LARGE"}).size is Size.LARGE


def test_static_properties_are_known_by_the_names_of_flows() -> None:
    assert static_properties(Sample) == {"fixed", "literally"}
