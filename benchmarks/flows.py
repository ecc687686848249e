"""The flows that are measured."""

from __future__ import annotations

NAMESPACE = "company.benchmarks"

#: Two tasks: an output made of an input, and a log line that reads it.
B1 = f"""
id: b1
namespace: {NAMESPACE}
inputs:
  - id: name
    type: STRING
    defaults: Ada
tasks:
  - id: values
    type: io.kestra.plugin.core.output.OutputValues
    values:
      greeting: "Hello {{{{ inputs.name }}}}"
  - id: log
    type: io.kestra.plugin.core.log.Log
    message: "{{{{ outputs.values.values.greeting }}}}"
"""

#: Five conditions, each with one task in the branch that is taken: ten task runs.
B2 = f"""
id: b2
namespace: {NAMESPACE}
inputs:
  - id: answer
    type: BOOLEAN
    defaults: true
tasks:
""" + "".join(
    f"""
  - id: if_{number}
    type: io.kestra.plugin.core.flow.If
    condition: "{{{{ inputs.answer }}}}"
    then:
      - id: then_{number}
        type: io.kestra.plugin.core.debug.Return
        format: "yes {number}"
    else:
      - id: else_{number}
        type: io.kestra.plugin.core.debug.Return
        format: "no {number}"
"""
    for number in range(1, 6)
)

ONE_TASK = f"""
id: one
namespace: {NAMESPACE}
tasks:
  - id: only
    type: io.kestra.plugin.core.debug.Return
    format: done
"""


def loop(count: int) -> str:
    """A ForEach over ``count`` values, all at once, with one task each."""
    return f"""
id: loop-{count}
namespace: {NAMESPACE}
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    concurrencyLimit: 0
    values: "{{{{ range(1, {count}) }}}}"
    tasks:
      - id: item
        type: io.kestra.plugin.core.debug.Return
        format: "{{{{ taskrun.value }}}}"
"""


BATCH = f"""
id: batch
namespace: {NAMESPACE}
inputs:
  - id: rows
    type: STRING
tasks:
  - id: only
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ inputs.rows }}}}"
"""


def batches(count: int, rows: int) -> str:
    """A ForEachItem over a file of ``count`` lines, with an execution for each ``rows`` of them."""
    return f"""
id: batches-{count}-{rows}
namespace: {NAMESPACE}
tasks:
  - id: file
    type: io.kestra.plugin.core.storage.Write
    content: "{{% for i in range(1, {count}) %}}row {{{{ i }}}}\\n{{% endfor %}}"
  - id: each
    type: io.kestra.plugin.core.flow.ForEachItem
    items: "{{{{ outputs.file.uri }}}}"
    batch:
      rows: {rows}
    namespace: {NAMESPACE}
    flowId: batch
    inputs:
      rows: "{{{{ taskrun.items }}}}"
"""


def sequence(count: int) -> str:
    """``count`` tasks one after the other."""
    tasks = "".join(
        f'  - id: step_{number}\n    type: io.kestra.plugin.core.debug.Return\n    format: "step {number}"\n'
        for number in range(1, count + 1)
    )
    return f"id: sequence-{count}\nnamespace: {NAMESPACE}\ntasks:\n{tasks}"


HELLO = f"""
id: hello
namespace: {NAMESPACE}
tasks:
  - id: hello
    type: io.kestra.plugin.core.log.Log
    message: Hello World!
"""
