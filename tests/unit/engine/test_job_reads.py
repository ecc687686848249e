"""What of the outputs of other tasks goes to a worker with a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest
from flow_run import FlowRun

from windhover.engine.job_reads import outputs_read
from windhover.plugin.context import RunContext
from windhover.plugin.task import RunnableTask, TaskDefinition

FIRST = "io.kestra.plugin.core.debug.Return"


def reads(template: str, variables: Mapping[str, object] | None = None) -> frozenset[str] | None:
    run = FlowRun(f"tasks:\n  - id: it\n    type: {FIRST}\n    format: {template!r}\n", begin=False)
    task = run.flow.task_by_id("it")
    assert isinstance(task, TaskDefinition)
    return outputs_read(task, variables or {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("no expression", set()),
        ("{{ inputs.a }}", set()),
        ("{{ outputs.a.value }} {{ outputs['b-c'].x[inputs.d] }}", {"a", "b-c"}),
        ("{{ outputs.a[taskrun.value].uri }}", {"a"}),
        ("{{ render('{{ outputs.a.value }}') }}", {"a"}),
        ("{{ currentEachOutput(outputs.a).value }}", {"a"}),
    ],
)
def test_names_that_are_read(template: str, names: set[str]) -> None:
    assert reads(template) == names


@pytest.mark.parametrize(
    "template",
    [
        "{{ outputs }}",
        "{{ outputs[inputs.which].value }}",
        "{{ printContext() }}",
        "{{ render(read('file.txt')) }}",
        "{{ iterationOutput('a') }}",
        "{% for output in outputs %}{{ output.key }}{% endfor %}",
    ],
)
def test_whatever_cannot_be_told_is_everything(template: str) -> None:
    assert reads(template) is None


def test_rendered_variables_are_looked_into() -> None:
    variables = {"vars": {"greeting": "{{ outputs.a.value }}", "any": "{{ outputs[inputs.b] }}"}}
    assert reads("{{ render(vars.greeting) }}", variables) == {"a"}
    assert reads("{{ render(vars.any) }}", variables) is None


class FromAnywhere(RunnableTask[None]):
    """Renders a text that is not its own."""

    type_name = "tests.FromAnywhere"
    renders_other_texts: ClassVar[bool] = True

    def run(self, ctx: RunContext) -> None: ...


def test_class_that_renders_other_texts_has_everything() -> None:
    assert outputs_read(TaskDefinition(id="it", type="tests.FromAnywhere", plugin=FromAnywhere), {}) is None


FLOW = f"""
tasks:
  - {{id: a, type: {FIRST}, format: large}}
  - {{id: b, type: {FIRST}, format: small}}
  - {{id: c, type: {FIRST}, format: "TEMPLATE"}}
"""


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("{{ outputs.b.value }}", ["b"]),
        ("plain", []),
        ("{{ outputs }}", ["a", "b"]),
        ("{{ outputs.typo.value }}", ["a", "b"]),
    ],
)
def test_job_holds_only_what_its_task_names(template: str, names: list[str]) -> None:
    run = FlowRun(FLOW.replace("TEMPLATE", template))
    for task_id in ("a", "b"):
        run.end(outputs={"value": task_id})
    assert run.jobs[-1].identity.task_id == "c"
    assert sorted(run.jobs[-1].variables["outputs"]) == names  # type: ignore[arg-type]
