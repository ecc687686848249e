"""Loops whose rounds stand for themselves, with a real worker."""

from __future__ import annotations

import pytest
from tests.integration.executor.flows import Flows

from windhover.engine.messages import RestartExecution

HEAD = """
    id: looped
    namespace: company.team
    tasks:
      - id: loop
        type: io.kestra.plugin.core.flow.Loop
"""
LOG = """
        tasks:
          - {id: log, type: io.kestra.plugin.core.log.Log, message: a}
    """


async def test_rounds_read_their_own_outputs_and_leave_typed_results(flows: Flows) -> None:
    done = await flows.run(
        HEAD
        + """
        values: [a, b, a]
        outputs:
          - {id: text, type: STRING, value: "{{ outputs.make.value }}"}
          - {id: index, type: INT, value: "{{ item.index }}"}
        tasks:
          - {id: make, type: io.kestra.plugin.core.debug.Return, format: "{{ item.value }}{{ item.index }}"}
          - {id: again, type: io.kestra.plugin.core.debug.Return, format: "{{ outputs.make.value }}!"}
      - id: after
        type: io.kestra.plugin.core.debug.Return
        format: "{{ loopOutputs(outputs.loop.outputs, 'text') | join(',') }} {{ outputs.again['2'].value }}"
    """
    )
    assert done.state == "SUCCESS", done.messages("ERROR")
    assert done.run("after").outputs == {"value": "a0,b1,a2 a2!"}
    assert done.run("loop").outputs == {
        "iterationCount": 3,
        "runningIterations": 0,
        "terminatedIterations": 3,
        "outputs": [
            {"item": {"value": "a", "iteration": 0}, "outputs": {"text": "a0", "index": 0}},
            {"item": {"value": "b", "iteration": 1}, "outputs": {"text": "b1", "index": 1}},
            {"item": {"value": "a", "iteration": 2}, "outputs": {"text": "a2", "index": 2}},
        ],
    }


async def test_a_map_gives_keys_and_nested_loops_their_parents(flows: Flows) -> None:
    done = await flows.run(
        HEAD
        + """
        values: {x: 1, y: {deep: true}}
        tasks:
          - id: inner
            type: io.kestra.plugin.core.flow.Loop
            values: "{{ [item.key, 'z'] }}"
            outputs:
              - {id: seen, type: STRING, value: "{{ outputs.tell.value }}"}
            tasks:
              - id: tell
                type: io.kestra.plugin.core.debug.Return
                format: "{{ item.parent.key }}={{ item.parents[0].value }}/{{ item.value }}"
          - id: join
            type: io.kestra.plugin.core.log.Log
            message: "{{ loopOutputs(outputs.inner.outputs, 'seen') | join(' ') }}"
    """
    )
    assert done.state == "SUCCESS", done.messages("ERROR")
    assert sorted(done.messages("INFO"))[:2] == ["x=1/x x=1/z", 'y={"deep":true}/y y={"deep":true}/z']


async def test_a_round_that_fails_does_not_touch_the_others(flows: Flows) -> None:
    source = (
        HEAD
        + """
        values: [1, 2, 3]
        concurrencyLimit: 1
        TRANSMIT
        tasks:
          - id: check
            type: io.kestra.plugin.core.execution.Fail
            condition: "{{ item.value == '2' }}"
          - {id: use, type: io.kestra.plugin.core.log.Log, message: "{{ item.value }}"}
    """
    )
    failed = await flows.run(source.replace("TRANSMIT", "transmitFailed: true"))
    assert failed.state == "FAILED"
    assert [run.state.current.value for run in failed.task_runs if run.task_id == "loop_iteration"] == [
        "SUCCESS",
        "FAILED",
        "SUCCESS",
    ]
    assert [message for message in failed.messages("INFO") if message in "123"] == ["1", "3"]
    forgiven = await flows.run(source.replace("TRANSMIT", "transmitFailed: false"))
    assert forgiven.state == "SUCCESS"


async def test_a_loop_is_broken_off(flows: Flows) -> None:
    done = await flows.run(
        HEAD
        + """
        values: [1, 2, 3, 4]
        concurrencyLimit: 1
        breakWhen: "{{ iteration.state == 'SUCCESS' and iteration.outputs.n >= 2 }}"
        outputs:
          - {id: n, type: INT, value: "{{ item.value }}"}
        tasks:
          - {id: use, type: io.kestra.plugin.core.log.Log, message: "{{ item.value }}"}
    """
    )
    assert done.state == "SUCCESS", done.messages("ERROR")
    outputs = done.run("loop").outputs or {}
    assert outputs["iterationCount"] == 2
    assert [each["outputs"] for each in outputs["outputs"]] == [{"n": 1}, {"n": 2}]


async def test_a_file_gives_a_round_a_line(flows: Flows) -> None:
    done = await flows.run(
        """
    id: filed
    namespace: company.team
    tasks:
      - id: write
        type: io.kestra.plugin.core.storage.Write
        content: "one\\n{n: 2}\\n\\nthree\\n"
      - id: loop
        type: io.kestra.plugin.core.flow.Loop
        values: "{{ outputs.write.uri }}"
        outputs:
          - {id: line, type: STRING, value: "{{ item.value }}"}
        tasks:
          - {id: use, type: io.kestra.plugin.core.log.Log, message: "{{ item.value }}"}
    """
    )
    assert done.state == "SUCCESS", done.messages("ERROR")
    outputs = done.run("loop").outputs or {}
    assert [each["outputs"]["line"] for each in outputs["outputs"]] == ["one", '{"n":2}', "three"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("'{{ nope }}'", "nope"),
        ("hello", "no JSON list or map"),
        ("[1, null]", "'1' null values"),
        ("'42'", "must be a list or a map"),
        ("kestra:///company/team/nothing", "kestra:///company/team/nothing"),
    ],
)
async def test_what_is_no_list_fails_the_loop(flows: Flows, values: str, message: str) -> None:
    done = await flows.run(f"{HEAD}        values: {values}\n{LOG}")
    assert done.state == "FAILED"
    assert any(message in line for line in done.messages("ERROR")), done.messages("ERROR")


async def test_an_empty_list_is_a_success(flows: Flows) -> None:
    done = await flows.run(f"{HEAD}        values: []\n{LOG}")
    assert (done.state, (done.run("loop").outputs or {})["iterationCount"]) == ("SUCCESS", 0)


async def test_an_output_that_cannot_be_had_fails_its_round(flows: Flows) -> None:
    done = await flows.run(
        HEAD
        + """
        values: [1, x]
        outputs:
          - {id: n, type: INT, value: "{{ item.value }}"}
        tasks:
          - {id: use, type: io.kestra.plugin.core.log.Log, message: "{{ item.value }}"}
    """
    )
    assert done.state == "FAILED"
    assert any("Invalid value for output `n`" in line for line in done.messages("ERROR"))


async def test_a_restart_does_the_failed_round_again(flows: Flows) -> None:
    failed = await flows.run(
        HEAD
        + """
        values: [a, b]
        outputs:
          - {id: text, type: STRING, value: "{{ outputs.make.value }}"}
        tasks:
          - {id: make, type: io.kestra.plugin.core.debug.Return, format: "{{ item.value }}"}
          - id: fail
            type: io.kestra.plugin.core.execution.Fail
            condition: "{{ item.value == 'b' and taskrun.attemptsCount == 0 }}"
    """
    )
    assert failed.state == "FAILED"
    await flows.runtime.queue.executor.ask(RestartExecution(failed.execution.id))
    done = await flows.ended(failed.execution.id)
    assert done.state == "SUCCESS", done.messages("ERROR")
    outputs = done.run("loop").outputs or {}
    assert [each["outputs"]["text"] for each in outputs["outputs"]] == ["a", "b"]
    assert [len(run.attempts or ()) for run in done.task_runs if run.task_id == "make"] == [1, 1]


async def test_results_are_stored_in_a_file(flows: Flows) -> None:
    done = await flows.run(
        HEAD
        + """
        values: [a, b]
        fetchType: STORE
        outputs:
          - {id: text, type: STRING, value: "{{ outputs.make.value }}"}
        tasks:
          - {id: make, type: io.kestra.plugin.core.debug.Return, format: "{{ item.value }}!"}
      - id: read
        type: io.kestra.plugin.core.debug.Return
        format: "{{ outputs.loop.iterationCount }} {{ read(outputs.loop.uri) | trim }}"
    """
    )
    assert done.state == "SUCCESS", done.messages("ERROR")
    outputs = done.run("loop").outputs or {}
    assert set(outputs) == {"iterationCount", "runningIterations", "terminatedIterations", "uri"}
    read = (done.run("read").outputs or {})["value"]
    assert read.startswith('2 {item:{value:"a"')
    assert read.count("text:") == 2


@pytest.mark.parametrize(
    ("loop", "values"), [("ForEach", "values"), ("EachSequential", "value"), ("EachParallel", "value")]
)
async def test_outputs_of_rounds_are_read_by_index(flows: Flows, loop: str, values: str) -> None:
    """Also in nested loops, and inside other tasks of a round; those by value stay."""
    done = await flows.run(f"""
    id: by_index
    namespace: company.team
    tasks:
      - id: outer
        type: io.kestra.plugin.core.flow.{loop}
        {values}: [a, b]
        tasks:
          - id: inner
            type: io.kestra.plugin.core.flow.{loop}
            {values}: [value, y]
            tasks:
              - id: both
                type: io.kestra.plugin.core.flow.Sequential
                tasks:
                  - id: make
                    type: io.kestra.plugin.core.debug.Return
                    format: "{{{{ parents[1].taskrun.value }}}}{{{{ parent.taskrun.value }}}}"
      - id: alone
        type: io.kestra.plugin.core.debug.Return
        format: x
      - id: after
        type: io.kestra.plugin.core.debug.Return
        format: "{{{{ iterations.make[1][0].value }}}} {{{{ iterations.make | length }}}}
          {{{{ outputs.make.b.y.value }}}} {{{{ iterations.alone.value }}}}
          {{{{ iterations['make'][0][1].value }}}}"
    """)
    assert done.state == "SUCCESS", done.messages("ERROR")
    assert done.run("after").outputs == {"value": "bvalue 2 by x ay"}


async def test_rounds_with_the_same_value_are_apart_by_index(flows: Flows) -> None:
    done = await flows.run(
        HEAD
        + """
        values: [a, a]
        tasks:
          - {id: make, type: io.kestra.plugin.core.debug.Return, format: "{{ item.value }}{{ item.index }}"}
      - id: after
        type: io.kestra.plugin.core.debug.Return
        format: "{% for round in iterations.make %}{{ round.value }} {% endfor %}"
    """
    )
    assert done.run("after").outputs == {"value": "a0 a1 "}


async def test_large_outputs_of_rounds_are_read_by_index(flows: Flows) -> None:
    done = await flows.run("""
    id: large
    namespace: company.team
    tasks:
      - id: each
        type: io.kestra.plugin.core.flow.ForEach
        values: [a, b]
        tasks:
          - id: make
            type: io.kestra.plugin.core.debug.Return
            format: "{% for i in range(1, 30000) %}0123456789{% endfor %}"
      - id: after
        type: io.kestra.plugin.core.debug.Return
        format: "{{ iterations.make[1].value | length }}"
    """)
    assert done.run("after").outputs == {"value": "300000"}
