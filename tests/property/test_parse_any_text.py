"""Whatever text is given, it is read as a flow or refused with problems, and soon."""

from __future__ import annotations

import time

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from windhover.model.problem import FlowInvalid
from windhover.plugin.parsing import parse_flow
from windhover.plugin.registry import Registry

REGISTRY = Registry(discover=False)
LONGEST_SECONDS = 5.0

NAMES = st.sampled_from(
    """
    id namespace tasks type errors finally triggers inputs outputs labels variables concurrency retry sla
    checks listeners pluginDefaults taskDefaults conditions preconditions dependsOn values condition then
    else cases key value message disabled runIf timeout cron limit behavior interval plugin properties
    resolver workerSelector afterExecution assets taskCache
    """.split()  # noqa: SIM905 - a table of words reads better
)
TYPES = st.sampled_from(
    [
        "io.kestra.plugin.core.log.Log",
        "io.kestra.plugin.core.debug.Return",
        "io.kestra.plugin.core.flow.Sequential",
        "io.kestra.plugin.core.flow.If",
        "io.kestra.plugin.core.flow.Switch",
        "io.kestra.plugin.core.flow.Dag",
        "io.kestra.plugin.core.flow.ForEach",
        "io.kestra.plugin.core.trigger.Schedule",
        "io.kestra.plugin.core.trigger.Flow",
        "io.kestra.plugin.core.trigger.Webhook",
        "io.kestra.plugin.core.condition.Expression",
        "io.kestra.plugin.core..",
        "io.kestra.plugin.core.flow.",
        "io.kestra.plugin.core.flow.__init__",
        "STRING",
        "FORM",
        "constant",
    ]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), TYPES, st.just("{{ x }}")
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(NAMES, st.text(max_size=4)), inner, max_size=5),
        st.fixed_dictionaries({"id": st.sampled_from("abc"), "type": TYPES}, optional={"tasks": inner}),
    ),
    max_leaves=25,
)
FLOWS = st.dictionaries(NAMES, VALUES, max_size=8).map(
    lambda members: {"id": "f", "namespace": "n", **members}
)
YAML_TEXT = st.text(alphabet=" \n\t-:?[]{},&*!|>'\"%@`#<~.=ab01é\x07\u2028\ud800", max_size=80)


def read(source: str | bytes) -> None:
    begun = time.perf_counter()
    refusal: FlowInvalid | None = None
    try:
        parsed = parse_flow(source, REGISTRY)
    except FlowInvalid as refused:
        refusal = refused
    assert time.perf_counter() - begun < LONGEST_SECONDS
    if refusal is None:
        assert parsed.flow.to_json()["id"] == parsed.flow.id
        assert parsed.flow.all_tasks()
    else:
        assert str(refusal)
        assert refusal.constraints
        assert all(problem.line and problem.column for problem in refusal.problems)


@given(YAML_TEXT)
@example("\ufeff\ufeff")
@example("a: \u2028b")
@settings(max_examples=400, deadline=None)
def test_any_text(source: str) -> None:
    read(source)


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_bytes(source: bytes) -> None:
    read(source)


@given(FLOWS)
@settings(max_examples=600, deadline=None)
def test_anything_that_looks_like_a_flow(flow: dict[str, object]) -> None:
    read(yaml.safe_dump(flow, allow_unicode=True))
