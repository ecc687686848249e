"""Rendering speed of the expression language against Jinja2, on the same ten templates.

    python benchmarks/expression.py

Prints microseconds a rendering of a compiled template, the ratio, and what compiling costs.
"""

from __future__ import annotations

import statistics
import timeit
from collections.abc import Callable

import jinja2

from windhover.expression import Scope, compile_template
from windhover.expression.parser import parse
from windhover.expression.template import Template

VARIABLES: dict[str, object] = {
    "flow": {"id": "daily", "namespace": "company.team"},
    "execution": {"id": "4Zy1bQ", "state": "SUCCESS", "startDate": "2024-05-06T07:08:09Z"},
    "inputs": {"name": "Ada", "count": 3, "items": [{"id": n, "name": f"item {n}"} for n in range(100)]},
    "outputs": {"extract": {"uri": "kestra:///a/b.csv", "rows": 1200}},
    "labels": {"team": "data"},
}

TEMPLATES: list[tuple[str, str, str]] = [
    ("plain text", "no expression at all", "no expression at all"),
    ("single path", "{{ outputs.extract.uri }}", "{{ outputs.extract.uri }}"),
    (
        "sentence of paths",
        "Flow {{ flow.id }} of {{ flow.namespace }}: {{ execution.id }} is {{ execution.state }}",
        "Flow {{ flow.id }} of {{ flow.namespace }}: {{ execution.id }} is {{ execution.state }}",
    ),
    ("filter", "{{ inputs.name | upper }}", "{{ inputs.name | upper }}"),
    (
        "filter chain",
        "{{ inputs.name | lower | title | length }}",
        "{{ inputs.name | lower | title | length }}",
    ),
    ("arithmetic", "{{ inputs.count * 2 + 1 }}", "{{ inputs.count * 2 + 1 }}"),
    (
        "condition",
        "{% if execution.state == 'SUCCESS' and inputs.count > 2 %}ok{% else %}no{% endif %}",
        "{% if execution.state == 'SUCCESS' and inputs.count > 2 %}ok{% else %}no{% endif %}",
    ),
    (
        "fallback",
        "{{ trigger.date ?? execution.startDate }}",
        "{{ (trigger.date if trigger is defined else none) or execution.startDate }}",
    ),
    (
        "loop of 100",
        "{% for item in inputs.items %}{{ loop.index }}: {{ item.name }}\n{% endfor %}",
        "{% for item in inputs['items'] %}{{ loop.index0 }}: {{ item.name }}\n{% endfor %}",
    ),
    (
        "loop with condition",
        "{% for item in inputs.items %}{% if item.id is even %}{{ item.name | upper }}{% endif %}"
        "{% endfor %}",
        "{% for item in inputs['items'] %}{% if item.id is even %}{{ item.name | upper }}{% endif %}"
        "{% endfor %}",
    ),
]


def microseconds(run: Callable[[], object]) -> float:
    """Time of one call: the best of five measurements."""
    timer = timeit.Timer(run)
    number, _ = timer.autorange()
    return min(timer.repeat(5, max(1, number // 4))) / max(1, number // 4) * 1e6


def main() -> None:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    scope = Scope(VARIABLES)
    ratios: list[float] = []
    print(f"{'template':22}{'windhover µs':>14}{'jinja2 µs':>12}{'ratio':>8}{'compile µs':>12}{'jinja2':>10}")
    for name, ours, theirs in TEMPLATES:
        template = compile_template(ours)
        peer = environment.from_string(theirs)
        assert template.render(scope) == peer.render(VARIABLES).replace("\n\n", "\n"), name
        mine = microseconds(lambda template=template: template.render(scope))  # type: ignore[misc]
        other = microseconds(lambda peer=peer: peer.render(VARIABLES))  # type: ignore[misc]
        compiling = microseconds(lambda ours=ours: _compile(ours))  # type: ignore[misc]
        peer_compiling = microseconds(lambda theirs=theirs: environment.from_string(theirs))  # type: ignore[misc]
        ratios.append(mine / other)
        print(f"{name:22}{mine:14.2f}{other:12.2f}{mine / other:8.2f}{compiling:12.1f}{peer_compiling:10.0f}")
    print(f"median ratio {statistics.median(ratios):.2f}")
    cached = microseconds(lambda: compile_template("{{ outputs.extract.uri }}").render(Scope(VARIABLES)))
    print(f"single path with a new scope and a cache hit: {cached:.2f} µs")


def _compile(text: str) -> Template:
    """Without the cache that ``compile_template`` looks into."""
    return Template(text, parse(text))


if __name__ == "__main__":
    main()
