from __future__ import annotations

from pathlib import Path

import pytest

from windhover.core.namespace.delete_files import DeleteFiles
from windhover.core.namespace.download_files import DownloadFiles
from windhover.core.namespace.purge_files import PurgeFiles
from windhover.core.namespace.upload_files import UploadFiles
from windhover.core.storage.write import Write
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.plugin.context import RunContext
from windhover.plugin.namespace_files import NamespaceFiles, path_filter, place_namespace_files
from windhover.plugin.task import RunnableTask
from windhover.worker.inline import InlineWorker

NS = "company.team"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a.sql", ["a.sql", "q/a.sql"]),
        ("/a.sql", ["a.sql"]),
        ("**a.sql", ["a.sql", "q/a.sql"]),
        ("q/**", ["q/a.sql", "q/b.py"]),
        ("glob:**/*.py", ["q/b.py"]),
        (r"regex:^q/.*\.py$", ["q/b.py"]),
    ],
)
def test_patterns(pattern: str, found: list[str]) -> None:
    matches = path_filter([pattern])
    assert [path for path in ("a.sql", "q/a.sql", "q/b.py") if matches(path)] == found


async def test_files_are_uploaded_downloaded_and_deleted(worker: InlineWorker) -> None:
    uri = (await worker.run(Write, {"content": "x"})).outputs["uri"]
    files = {"q/a.txt": uri, "/b.txt": uri, "gone.txt": f"{uri}x", "null.txt": None}
    up = await worker.run(UploadFiles, {"namespace": NS, "filesMap": files, "destination": "/in"})
    assert up.at(LogLevel.DEBUG) == [
        "File 'in/q/a.txt' added to namespace 'company.team'.".replace("'in", "'/in"),
        "File '/in/b.txt' added to namespace 'company.team'.",
    ]
    down = await worker.run(
        DownloadFiles, {"namespace": NS, "files": ["a.txt", "/in/b.txt"], "destination": "out/"}
    )
    assert set(down.outputs["files"]) == {"/in/b.txt", "/in/q/a.txt"}
    copy = down.outputs["files"]["/in/q/a.txt"]
    assert copy.endswith("/out/in/q/a.txt")
    assert await worker.storage.for_tenant("main").read(copy) == b"x"
    await worker.run(DeleteFiles, {"namespace": NS, "files": "a.txt", "deleteParentFolder": True})
    assert [file.path for file in await worker.server.namespace_files.list(NS)] == ["in/", "in/b.txt"]


async def test_conflicts(worker: InlineWorker) -> None:
    uri = (await worker.run(Write, {"content": "new"})).outputs["uri"]
    await worker.server.namespace_files.put(NS, "a", b"old")
    task = {"namespace": NS, "filesMap": {"a": uri}}
    error = await worker.run(UploadFiles, {**task, "conflict": "ERROR"})
    assert error.at(LogLevel.ERROR) == [
        "File '/a' already exists in namespace 'company.team' and conflict is set to ERROR"
    ]
    assert (await worker.run(UploadFiles, {**task, "conflict": "SKIP"})).state is StateType.SUCCESS
    assert len(await worker.server.namespace_files.versions(NS, "a")) == 1
    await worker.run(UploadFiles, task)
    assert len(await worker.server.namespace_files.versions(NS, "a")) == 2
    assert (await worker.run(PurgeFiles, {"namespaces": ["company"]})).outputs == {"size": 1}


class Placing(RunnableTask[None]):
    """Puts namespace files beside a file that is there."""

    type_name = "test.Placing"

    namespace_files: NamespaceFiles
    present: str = ""

    async def run(self, ctx: RunContext) -> dict[str, str]:  # type: ignore[override]
        directory: Path = ctx.working_directory
        if self.present:
            (directory / self.present).write_text("mine")
        await place_namespace_files(ctx, self.namespace_files, directory)
        return {
            path.relative_to(directory).as_posix(): path.read_text()
            for path in sorted(directory.rglob("*"))
            if path.is_file()
        }


async def test_namespace_files_in_the_working_directory(worker: InlineWorker) -> None:
    store = worker.server.namespace_files
    await store.put(NS, "a.py", b"team")
    await store.put(NS, "lib/b.py", b"lib")
    await store.put("company", "a.py", b"company")

    async def placed(present: str = "", **wanted: object) -> dict[str, object]:
        run = await worker.run(Placing, {"namespaceFiles": wanted, "present": present})
        return run.outputs if run.state is StateType.SUCCESS else {"error": run.at(LogLevel.ERROR)[0]}

    assert await placed() == {"a.py": "team", "lib/b.py": "lib"}
    assert await placed(include=["/a.py"]) == {"a.py": "team"}
    assert await placed(exclude=["lib/**"]) == {"a.py": "team"}
    assert await placed(enabled=False) == {}
    assert (await placed(namespaces=[NS, "company"]))["a.py"] == "company"
    assert await placed(namespaces=["company"], folderPerNamespace=True) == {"company/a.py": "company"}
    only = {"include": ["/a.py"]}
    assert await placed("a.py", **only) == {"a.py": "team"}
    assert await placed("a.py", ifExists="IGNORE", **only) == {"a.py": "mine"}
    assert "already" in str((await placed("a.py", ifExists="FAIL", **only))["error"])
    both = {"namespaces": [NS, "company"], **only}
    assert await placed("", ifExists="IGNORE", **both) == {"a.py": "team"}
    assert "already" in str((await placed("", ifExists="FAIL", **both))["error"])
