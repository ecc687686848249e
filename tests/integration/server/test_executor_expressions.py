"""What expressions on the executor reach: they are rendered on its event loop, which cannot wait."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from tests.integration.executor.flows import Flows

from windhover.expression import EvaluationError, ExpressionError, render_value
from windhover.model.kv import kv_value
from windhover.model.secret import SealedSecret
from windhover.repository.database import Database
from windhover.repository.secrets import SecretRepository
from windhover.secret.stored import StoredSecrets
from windhover.server.runtime import Runtime, RuntimeSettings
from windhover.server.side_loop import SideLoop
from windhover.storage import execution_prefix

NS = "company.team"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
VARIABLES = {"flow": {"namespace": NS, "id": "f"}, "trigger": {"executionId": "parent"}}


@pytest_asyncio.fixture
async def runtime(database: Database, tmp_path: Path) -> AsyncIterator[Runtime]:
    settings = RuntimeSettings(
        home=tmp_path,
        storage_path=tmp_path / "storage",
        temporary=tmp_path / "work",
        encryption_key=base64.b64encode(bytes(32)).decode(),
        environ={"SECRET_KEY": base64.b64encode(b"hidden").decode()},
    )
    running = Runtime(database, settings)
    yield running
    await running.close()


def render(runtime: Runtime, template: str) -> object:
    """On the event loop, as the executor does it."""
    return render_value(template, runtime.environment.scope(VARIABLES, "e1"), typed=True)


async def test_stored_values(runtime: Runtime) -> None:
    kv = runtime.sources.kv
    await kv.put(NS, "flag", kv_value(True))
    await kv.put("company", "outer", kv_value({"n": [1]}))
    assert render(runtime, "{{ kv('flag') }}") is True
    assert render(runtime, "{{ kv('outer').n[0] + 1 }}") == 2
    assert render(runtime, "{{ kv('none', errorOnMissing=false) ?? 'dflt' }}") == "dflt"
    await kv.put(NS, "flag", kv_value(False))
    assert render(runtime, "{{ kv('flag') }}") is False
    for template, words in (
        ("{{ kv('none') }}", "The key 'none' does not exist in the namespace 'company.team'."),
        ("{{ kv('outer', 'company.team') }}", "The key 'outer' does not exist in the namespace"),
        ("{{ kv('a', 'x.y', false) }}", "Cannot access the KV store. The namespace 'x.y' does not exist."),
    ):
        with pytest.raises(ExpressionError) as caught:
            render(runtime, template)
        assert words in str(caught.value)
    assert render(runtime, "{{ secret('KEY') }}") == "hidden"


async def test_stored_secrets_come_before_those_of_the_environment(runtime: Runtime) -> None:
    store = SecretRepository(runtime.database)
    secrets = StoredSecrets(store, "main", runtime.cipher)
    assert render(runtime, "{{ secret('key') }}") == "hidden"
    await secrets.put("company", "key", '{"user": "ada"}', NOW)
    assert render(runtime, "{{ secret('KEY', subkey='user') }}") == "ada"
    assert render(runtime, "{{ secret('KEY', namespace='other') }}") == "hidden"
    await secrets.put(NS, "KEY", "nearest", NOW)
    assert render(runtime, "{{ secret('KEY') }}") == "nearest"
    assert render(runtime, "{{ secret('KEY', namespace='company.other', full=true).user }}") == "ada"
    await store.put("main", SealedSecret(NS, "KEY", "AAAA"), NOW)
    with pytest.raises(ExpressionError, match="it is damaged, or `kestra"):
        render(runtime, "{{ secret('KEY') }}")
    for name in ("none", "a\0b", "", "a b"):
        with pytest.raises(ExpressionError, match=rf"Cannot find secret for key '{name.upper()}'\."):
            render(runtime, f"{{{{ secret('{name}') }}}}")


async def test_files(runtime: Runtime) -> None:
    files = runtime.sources.namespace_files
    await files.put(NS, "q/a.sql", b"one")
    await files.put(NS, "q/a.sql", b"second")
    await files.put("x", "b", b"other")
    own = f"{execution_prefix(NS, 'f', 'e1')}/tasks/t/r/x.txt"
    parent = f"{execution_prefix('other', 'g', 'parent')}/tasks/t/r/x.txt"
    for uri in (own, parent):
        await runtime.sources.storage.put(uri, b"mine")
    for template, value in (
        ("{{ read('q/a.sql') }}", "second"),
        ("{{ read('/q/a.sql', version=1) }}", "one"),
        ("{{ read('b', 'x') }}{{ read('nsfile://x/b') }}{{ read('nsfile:///q/a.sql') }}", "otherothersecond"),
        ("{{ fileURI('q/a.sql') }}", "kestra:///company/team/_files/q/a.sql.v2"),
        ("{{ fileURI('none') }}", "kestra:///company/team/_files/none"),
        ("{{ read(fileURI('q/a.sql', version=1)) }}", "one"),
        ("{{ read(fileURI('q/a.sql')) }}", "second"),
        ("{{ fileSize('q/a.sql') }}", 6),
        ("{{ isFileEmpty('q/a.sql') }}", False),
        ("{{ fileExists('none') }}", False),
        ("{{ fileExists('../x') }}", False),
        (f"{{{{ read('{own}') }}}}", "mine"),
        (f"{{{{ read('{parent}') }}}}", "mine"),
        (f"{{{{ fileExists('{own}x') }}}}", False),
    ):
        assert render(runtime, template) == value, template
    for template, words in (
        ("{{ read('none') }}", "File '/none' was not found in namespace 'company.team'."),
        ("{{ read('../x') }}", "File '/../x' was not found in namespace 'company.team'."),
        ("{{ read('q/a.sql', version=9) }}", "Version 9 of file '/q/a.sql' was not found in namespace"),
        ("{{ fileSize('none') }}", "File '/none' was not found"),
        ("{{ read('http://a/b') }}", "Cannot process the URI http://a/b: scheme not supported."),
        ("{{ read('kestra:///o/f/executions/1/x') }}", "belongs to another execution"),
        ("{{ read('nsfile://x/b', 'y') }}", "names a namespace itself"),
    ):
        with pytest.raises(ExpressionError) as caught:
            render(runtime, template)
        assert words in str(caught.value)


async def test_no_thread_is_started_for_nothing(runtime: Runtime) -> None:
    before = set(threading.enumerate())
    assert render(runtime, "{{ 1 + 1 }}") == 2
    assert not any(thread.name == "side-loop" for thread in set(threading.enumerate()) - before)


def test_the_wait_for_an_answer_is_bounded() -> None:
    side = SideLoop(0.05)
    with pytest.raises(EvaluationError, match=r"has not answered within 0\.05 seconds"):
        side.wait(asyncio.Event().wait())  # for ever

    async def answer() -> int:
        return 1

    async def nothing() -> None:
        return

    assert side.wait(answer()) == 1
    side.close(nothing)
    side.close(nothing)


async def test_lines_of_the_engine_hold_no_secrets(runtime: Runtime) -> None:
    await runtime.start()
    flows = Flows(runtime)
    try:
        flow = await flows.save(
            f"""
            id: masked
            namespace: {NS}
            inputs:
              - {{id: password, type: SECRET}}
            tasks:
              - id: of_the_environment
                type: io.kestra.plugin.core.flow.ForEach
                values: "{{{{ secret('KEY') }}}}"
                tasks: [{{id: a, type: io.kestra.plugin.core.log.Log, message: x}}]
            errors:
              - id: of_an_input
                type: io.kestra.plugin.core.flow.Switch
                value: "{{{{ inputs.password }}}}"
                cases:
                  none: [{{id: b, type: io.kestra.plugin.core.log.Log, message: x}}]
            """
        )
        assert runtime.cipher is not None
        ended = await flows.ended(await flows.start(flow, {"password": runtime.cipher.encrypt("top-secret")}))
    finally:
        await runtime.stop(timedelta())
    assert [line.rpartition(": ")[2] for line in ended.messages()] == [
        "******",
        "the value `******` has no case, and there are no `defaults`",
    ]
