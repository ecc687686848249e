"""``windhover run``: what it shows, how it refuses, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from windhover.cli.run import RunOptions, run_flow
from windhover.core.log.log import Log
from windhover.plugin.context import RunContext

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the tasks given as YAML, and returns the exit code."""

    def run(
        tasks: str,
        *,
        inputs: tuple[str, ...] = (),
        labels: tuple[str, ...] = (),
        as_json: bool = False,
        level: str = "INFO",
        save: Path | None = None,
    ) -> int:
        file = tmp_path / "flow.yaml"
        file.write_text(f"id: flow\nnamespace: company.team\n{tasks}")
        return run_flow(RunOptions(file, inputs, labels, as_json, level, save))

    return run


LOG = """
tasks:
  - id: tell
    type: io.kestra.plugin.core.log.Log
    message: "{{ labels.team ?? 'nobody' }}"
"""

FAIL = """
tasks:
  - id: stop
    type: io.kestra.plugin.core.execution.Fail
"""


def test_log_lines_then_the_summary(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(LOG) == 0

    first, last = capsys.readouterr().out.splitlines()
    assert first.endswith("INFO  tell: nobody")
    assert last.startswith("SUCCESS in ")
    assert last.endswith(" s, 1 task")


def test_labels_reach_the_execution(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(LOG, labels=("team:data",))

    assert "tell: data" in capsys.readouterr().out


def test_lines_below_the_level_are_not_shown(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(LOG, level="WARN")

    assert "tell" not in capsys.readouterr().out


def test_a_failed_execution_exits_with_1(run: Run) -> None:
    assert run(FAIL) == 1


def test_a_warning_is_no_failure(run: Run) -> None:
    assert run(FAIL + "    allowFailure: true\n") == 0


def test_json_lines_tell_all_task_runs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(
        """
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks:
      - id: give
        type: io.kestra.plugin.core.debug.Return
        format: "{{ taskrun.value }}"
outputs:
  - id: last
    type: STRING
    value: "{{ outputs.give.b.value }}"
""",
        as_json=True,
    )

    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[0]["event"] == "started"
    ended = events[-1]
    assert ended["state"] == "SUCCESS"
    assert ended["outputs"] == {"last": "b"}
    assert [(run["taskId"], run["value"]) for run in ended["taskRuns"]] == [
        ("each", None),
        ("give", "a"),
        ("give", "b"),
    ]


INPUT = """
inputs:
  - id: text
    type: STRING
tasks:
  - id: tell
    type: io.kestra.plugin.core.log.Log
    message: "{{ inputs.text }}"
"""


def test_json_lines_tell_how_far_a_task_is(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def halfway(self: Log, ctx: RunContext) -> None:
        ctx.progress(0.5, "half of it")
        await ctx.sleep(0.1)

    monkeypatch.setattr(Log, "run", halfway)
    assert run(LOG, as_json=True) == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (progress,) = [line for line in lines if line["event"] == "progress"]
    assert (progress["taskId"], progress["fraction"], progress["message"]) == ("tell", 0.5, "half of it")


def test_an_input_from_a_file(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_text("from a file")

    assert run(INPUT, inputs=(f"text=@{tmp_path / 'text'}",)) == 0

    assert "from a file" in capsys.readouterr().out


def test_an_input_may_hold_an_equals_sign(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(INPUT, inputs=("text=a=b",))

    assert "tell: a=b" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("inputs", "labels", "level", "words"),
    [
        ((), (), "INFO", "Missing required input:text"),
        (("text",), (), "INFO", "not of the form name=value"),
        (("text=@/no/such/file",), (), "INFO", "cannot be read"),
        (("text=x",), ("team",), "INFO", "not of the form key:value"),
        (("text=x",), (), "LOUD", "is no level"),
    ],
)
def test_what_is_refused(
    run: Run,
    capsys: pytest.CaptureFixture[str],
    inputs: tuple[str, ...],
    labels: tuple[str, ...],
    level: str,
    words: str,
) -> None:
    assert run(INPUT, inputs=inputs, labels=labels, level=level) == 2

    shown = capsys.readouterr()
    assert words in shown.err
    assert not shown.out


def test_a_wrong_flow_is_refused_with_its_place(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("tasks:\n  - id: x\n    type: io.kestra.plugin.core.log.Lgo\n    message: hi\n") == 2

    assert "flow.yaml:5:" in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_flow(RunOptions(tmp_path / "none.yaml", [], [], False, "INFO", None)) == 2

    assert "none.yaml cannot be read" in capsys.readouterr().err


def test_nothing_is_left_behind(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import tempfile

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    run(LOG)

    assert not list(temporary.iterdir())


def test_files_of_the_same_name_are_all_saved(run: Run, tmp_path: Path) -> None:
    run(
        """
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks:
      - id: write
        type: io.kestra.plugin.scripts.shell.Commands
        outputFiles: [result.txt]
        commands: ["echo {{ taskrun.value }} > result.txt"]
""",
        save=tmp_path / "out",
    )

    saved = [path.read_text().strip() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(saved) == ["a", "b"]
