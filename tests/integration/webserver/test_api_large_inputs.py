"""Inputs too large for a row: kept in the storage, and read from there by tasks and conditions."""

from __future__ import annotations

import json

from tests.integration.webserver.server import Server

FLOW = """\
id: large
namespace: company.team
inputs:
  - id: rows
    type: JSON
tasks:
  - id: decide
    type: io.kestra.plugin.core.flow.If
    condition: "{{ inputs.rows | length > 1000 }}"
    then:
      - id: count
        type: io.kestra.plugin.core.debug.Return
        format: "{{ inputs.rows | length }} rows, the last is {{ inputs.rows[19999].name }}"
"""


async def test_a_large_input_is_kept_in_the_storage_and_read_from_there(local_server: Server) -> None:
    await local_server.create_flow(FLOW)
    rows = [{"name": f"row number {i}", "value": i} for i in range(20_000)]
    execution = await local_server.execute("large", files={"rows": (None, json.dumps(rows))})
    kept = execution["inputs"]["rows"]
    assert kept["type"] == "io.windhover.datatype:stored"
    assert kept["size"] > 500_000
    runs = {run["taskId"]: run for run in execution["taskRunList"]}
    assert runs["decide"]["outputs"] == {"evaluationResult": True}
    assert runs["count"]["outputs"]["value"] == "20000 rows, the last is row number 19999"
