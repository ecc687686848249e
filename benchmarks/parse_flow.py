"""How long it takes to read a flow: prints a table of sizes, in milliseconds.

python benchmarks/parse_flow.py
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable

from windhover.model.problem import FlowInvalid
from windhover.model.yaml.document import read_document
from windhover.plugin.parsing import parse_flow
from windhover.plugin.registry import shared_registry

HEAD = "id: big\nnamespace: bench.mark\ninputs:\n  - {id: who, type: STRING}\ntasks:\n"
LOG = (
    "  - id: t{n}\n    type: io.kestra.plugin.core.log.Log\n    message:\n"
    "      - hello {{{{ inputs.who }}}}\n      - bye\n    level: INFO\n"
)
GROUP = (
    "  - id: s{n}\n    type: io.kestra.plugin.core.flow.Sequential\n    tasks:\n      - id: t{n}\n"
    "        type: io.kestra.plugin.core.debug.Return\n        format: '{{{{ taskrun.id }}}}'\n"
    "        retry:\n          type: constant\n          interval: PT5S\n"
)
BROKEN = (
    "  - id: t{n}\n    tipe: x\n    type: io.kestra.plugin.core.log.Log\n    mesage: hello\n    level: LOUD\n"
)


def flow(task: str, count: int) -> str:
    return HEAD + "".join(task.format(n=number) for number in range(count))


def milliseconds(work: Callable[[], object], rounds: int = 15) -> float:
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        with contextlib.suppress(FlowInvalid):
            work()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def main() -> None:
    registry = shared_registry()
    print(f"{'flow':34} {'lines':>6} {'YAML ms':>8} {'all ms':>8}")
    for name, source in (
        ("40 tasks", flow(LOG, 40)),
        ("333 tasks", flow(LOG, 333)),
        ("222 groups of one task, retried", flow(GROUP, 222)),
        ("400 tasks, 4 problems each", flow(BROKEN, 400)),
    ):
        whole = milliseconds(lambda source=source: parse_flow(source, registry))  # type: ignore[misc]
        yaml = milliseconds(lambda source=source: read_document(source))  # type: ignore[misc]
        print(f"{name:34} {source.count(chr(10)):6} {yaml:8.1f} {whole:8.1f}")


if __name__ == "__main__":
    main()
