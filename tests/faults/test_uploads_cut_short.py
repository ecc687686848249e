"""A server that is killed when files have come, and not the commit that names them, leaves none behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.faults.conftest import NAMESPACE, Server, until

FLOW = f"""
id: takes
namespace: {NAMESPACE}
inputs:
  - {{id: first, type: FILE}}
  - {{id: second, type: FILE, required: false}}
tasks:
  - {{id: reads, type: io.kestra.plugin.core.debug.Return, format: "{{{{ read(inputs.first) }}}}"}}
"""
HOOK = f"""
id: hooked
namespace: {NAMESPACE}
tasks:
  - {{id: says, type: io.kestra.plugin.core.debug.Return, format: done}}
triggers:
  - {{id: hook, type: io.kestra.plugin.core.trigger.Webhook, key: the-key}}
"""
PATHS = {
    "start": f"/executions/{NAMESPACE}/takes",
    "webhook": f"/executions/webhook/{NAMESPACE}/hooked/the-key",
}


def files(server: Server) -> set[Path]:
    """The files of executions in the storage."""
    found = (server.process.home / "storage").glob("**/executions/**/*")
    return {path for path in found if path.is_file()}


@pytest.mark.parametrize("way", PATHS)
def test_files_that_came_before_a_kill_go_at_the_next_start(server: Server, way: str) -> None:
    server.save(FLOW)
    server.save(HOOK)
    sent = {"first": ("a.txt", b"kept")}
    kept = server.client.post(server.url(PATHS["start"]), files=sent).json()["id"]
    server.wait_for_end(kept)
    before = files(server)
    assert len(before) == 1

    never = threading.Event()

    def cut_short() -> Iterator[bytes]:
        """One whole file, and the beginning of another, which does not come to its end."""
        head = '--x\r\nContent-Disposition: form-data; name="{0}"; filename="{0}.txt"\r\n\r\n'
        yield f"{head.format('first')}lost\r\n{head.format('second')}beg".encode()
        never.wait(60)

    def upload() -> None:
        with pytest.raises(httpx.TransportError):
            httpx.post(
                server.url(PATHS[way]),
                content=cut_short(),
                headers={"Content-Type": "multipart/form-data; boundary=x"},
                timeout=60,
            )

    uploading = threading.Thread(target=upload)
    uploading.start()
    try:
        until(lambda: len(files(server)) == 2, 30, lambda: str(files(server)))
        server.process.kill_all()
    finally:
        never.set()
    uploading.join()
    assert len(files(server)) == 2

    server.process.start()
    until(lambda: files(server) == before, 30, lambda: str(files(server)))
    replayed = server.client.post(server.url(f"/executions/{kept}/actions/replay")).json()["id"]
    (run,) = server.wait_for_end(replayed)["taskRunList"]
    assert run["outputs"] == {"value": "kept"}
