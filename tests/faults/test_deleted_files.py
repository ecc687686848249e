"""A server that is killed while it deletes executions: no file is left over, and none goes too soon."""

from __future__ import annotations

import threading
from typing import Any

import httpx
from tests.faults.conftest import NAMESPACE, Server, until

FLOW = f"""
id: files
namespace: {NAMESPACE}
tasks:
  - {{id: file, type: io.kestra.plugin.core.storage.Write, content: written}}
  - {{id: rows, type: io.kestra.plugin.core.debug.Return, format: "{{{{ range(1, 20000) }}}}"}}
  - id: reads
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ read(outputs.file.uri) }}}} {{{{ outputs.rows.value | length }}}}"
"""
READ = {"value": "written 108895"}


def folders(server: Server) -> set[str]:
    """The executions that have files in the storage."""
    return {path.name for path in (server.process.home / "storage").glob("**/executions/*")}


def reads(execution: Any) -> Any:
    return next(run for run in execution["taskRunList"] if run["taskId"] == "reads")


def replay(server: Server, execution: Any) -> Any:
    path = f"/executions/{execution['id']}/actions/replay"
    answer = server.client.post(server.url(path), params={"taskRunId": reads(execution)["id"]})
    assert answer.status_code == 200, answer.text
    return server.wait_for_end(answer.json()["id"])


def delete(server: Server, executions: set[str]) -> None:
    answer = server.client.request("DELETE", server.url("/executions/by-ids"), json=sorted(executions))
    assert answer.status_code == 200, answer.text


def left(server: Server) -> set[str]:
    return {one["id"] for one in server.get("/executions/search", size=100)["results"]}


def test_files_of_deleted_executions_go_after_a_crash_but_for_those_that_replays_need(server: Server) -> None:
    server.save(FLOW)
    started = [server.run("files") for _ in range(30)]
    originals = [server.wait_for_end(id_) for id_ in started]
    replays = [replay(server, original) for original in originals[:5]]

    def delete_until_killed() -> None:
        for id_ in started:
            try:
                delete(server, {id_})
            except httpx.TransportError:
                return

    deleting = threading.Thread(target=delete_until_killed)
    deleting.start()
    until(lambda: len(left(server)) < 25, 30)
    server.process.kill_all()
    deleting.join()
    server.process.start()

    if rest := left(server) - {one["id"] for one in replays}:
        delete(server, rest)
    lenders = set(started[:5])
    until(lambda: folders(server) == lenders, 20, lambda: str(folders(server) ^ lenders))
    again = [replay(server, one) for one in replays]
    assert [reads(one)["outputs"] for one in again] == [READ] * 5

    delete(server, left(server))
    until(lambda: not folders(server), 20, lambda: str(folders(server)))
