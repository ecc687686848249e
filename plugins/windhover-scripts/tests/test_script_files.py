"""Files into scripts and out of them, and nowhere else."""

from __future__ import annotations

import json

import pytest

from windhover.model.execution import JsonValue
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.util.glob_pattern import compile_glob
from windhover.worker.inline import InlineRun, InlineWorker
from windhover_scripts.python.commands import Commands as PythonCommands
from windhover_scripts.python.script import Script as PythonScript
from windhover_scripts.shell.commands import Commands


async def content(worker: InlineWorker, run: InlineRun, name: str) -> str:
    uri = run.outputs["outputFiles"][name]
    return (await worker.storage.for_tenant("main").read(uri)).decode()


async def test_contents_and_stored_files_go_in_and_named_files_come_out(worker: InlineWorker) -> None:
    first = await worker.run(
        Commands,
        {
            "inputFiles": {"dir/in.txt": "{{ inputs.text }}", "data.json": {"a": 1}, "skipped": None},
            "commands": [
                "ls",
                "mkdir -p out/deep",
                "cp dir/in.txt out/deep/a.txt",
                "cp data.json out/b.json",
            ],
            "outputFiles": ["out/**/*.txt", "{{ inputs.pattern }}"],
        },
        {"inputs": {"text": "grüße", "pattern": "out/*.json"}},
    )
    assert first.at(LogLevel.INFO) == ["data.json", "dir"]
    assert sorted(first.outputs["outputFiles"]) == ["out/b.json", "out/deep/a.txt"]
    assert await content(worker, first, "out/deep/a.txt") == "grüße"

    second = await worker.run(
        Commands,
        {
            "inputFiles": json.dumps({"copy.txt": first.outputs["outputFiles"]["out/deep/a.txt"]}),
            "commands": ["cat copy.txt", "cat {{ inputs.uri }}"],
        },
        {"inputs": {"uri": first.outputs["outputFiles"]["out/b.json"]}},
    )
    assert second.at(LogLevel.INFO) == ['grüße{"a":1}']


async def test_an_output_file_has_a_path_for_the_commands(worker: InlineWorker) -> None:
    run = await worker.run(
        Commands,
        {
            "commands": [
                "echo 1 > {{ outputFiles['a.txt'] }}",
                "test -d {{ workingDir }}",
                'cd / && ls "$WORKING_DIR"',
            ],
            "outputFiles": ["a.txt", "*.csv"],
        },
    )
    assert await content(worker, run, "a.txt") == "1\n"
    assert run.messages == ["a.txt"]


async def test_the_output_directory_of_old_flows(worker: InlineWorker) -> None:
    run = await worker.run(
        Commands, {"commands": ["echo 1 > {{ outputDir }}/a", "echo 2 > $OUTPUT_DIR/b"], "runner": "PROCESS"}
    )
    assert sorted(run.outputs["outputFiles"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"inputFiles": {"../x": "1"}}, "`../x` is no path inside the working directory"),
        ({"inputFiles": {"/tmp/x": "1"}}, "`/tmp/x` is no path inside"),
        ({"inputFiles": {"": "1"}}, "is no path inside"),
        ({"inputFiles": {"x": "file:///etc/passwd"}}, "only kestra:// files"),
        ({"inputFiles": {"x": "kestra:///other/ns/executions/1/a"}}, "belongs to another execution"),
        ({"outputFiles": ["../*"]}, "`../*` leads out"),
        ({"outputFiles": ["/etc/*"]}, "`/etc/*` leads out"),
    ],
)
async def test_no_path_leads_out_of_the_working_directory(
    worker: InlineWorker, properties: dict[str, JsonValue], message: str
) -> None:
    run = await worker.run(Commands, {"commands": ["true"], **properties})
    assert run.state is StateType.FAILED
    assert message in run.at(LogLevel.ERROR)[0]


async def test_links_out_of_the_working_directory_are_no_outputs(worker: InlineWorker) -> None:
    run = await worker.run(
        Commands,
        {
            "commands": [
                "ln -s /etc/passwd file",
                "ln -s /etc folder",
                "echo x > real",
                "ln -s real inside",
                "ln -s nowhere dangling",
            ],
            "outputFiles": ["**"],
        },
    )
    assert sorted(run.outputs["outputFiles"]) == ["inside", "real"]
    assert run.at(LogLevel.WARN) == ["outputFiles: `file` is a link out of the working directory"]


async def test_a_python_script_finds_its_modules_and_is_no_output(worker: InlineWorker) -> None:
    run = await worker.run(
        PythonScript,
        {
            "inputFiles": {"greeting.py": "def greet(who): return f'hi {who}'"},
            "script": 'from greeting import greet\nprint(greet("{{ inputs.who }}"))',
            "outputFiles": ["*.py"],
        },
        {"inputs": {"who": "Ada"}},
    )
    assert run.messages == ["hi Ada"]
    assert list(run.outputs["outputFiles"]) == ["greeting.py"]


async def test_python_commands(worker: InlineWorker) -> None:
    run = await worker.run(
        PythonCommands, {"inputFiles": {"main.py": "print(6 * 7)"}, "commands": ["python3 main.py"]}
    )
    assert run.messages == ["42"]


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("*.txt", ["a.txt"], ["a.csv", "d/a.txt"]),
        ("**/*.txt", ["a.txt", "d/a.txt", "d/e/a.txt"], ["a.csv"]),
        ("d/**", ["d/a", "d/e/a"], ["a"]),
        ("a?.[ch]", ["ab.c", "ax.h"], ["a.c", "ab.d"]),
        ("*.{csv,js{on,onl}}", ["a.csv", "a.json", "a.jsonl"], ["a.js"]),
        ("[!a]*", ["b"], ["a", "ab"]),
        ("a+(b).txt", ["a+(b).txt"], ["aab.txt"]),
        ("\\*", ["*"], ["a"]),
        ("{open", ["{open"], ["open"]),
    ],
)
def test_patterns(pattern: str, matching: list[str], other: list[str]) -> None:
    compiled = compile_glob(pattern)
    assert [name for name in matching + other if compiled.fullmatch(name)] == matching


async def test_files_of_namespaces_come_before_input_files(worker: InlineWorker) -> None:
    for path in ("a.txt", "sub/b.txt", "c.sql"):
        await worker.server.namespace_files.put("company.team", path, b"namespace\n")
    run = await worker.run(
        Commands,
        {
            "namespaceFiles": {"include": ["*.txt"]},
            "inputFiles": {"a.txt": "input\n"},
            "commands": ["cat a.txt sub/b.txt", "ls c.sql 2>/dev/null || echo none"],
        },
    )
    assert run.messages == ["input", "namespace", "none"]
