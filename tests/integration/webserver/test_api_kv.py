"""Key-value pairs over the API."""

from __future__ import annotations

from typing import Any

from tests.integration.webserver.server import Server

KV = "/api/v1/main/namespaces/company.team/kv"


async def test_an_entry_from_its_creation_to_its_end(server: Server) -> None:
    client = server.client
    written = await client.put(f"{KV}/my-key", content='"Hello"', headers={"ttl": "PT1H", "description": "d"})
    assert (written.status_code, written.content) == (200, b"")
    await client.put(f"{KV}/my-key", content='{"a": [1]}')
    read = (await client.get(f"{KV}/my-key")).json()
    assert read["type"] == "JSON"
    assert read["value"] == {"a": [1]}
    assert read["revision"] == 2
    assert read["updated"].endswith("Z")
    assert (await client.delete(f"{KV}/my-key")).json() is True
    assert (await client.delete(f"{KV}/my-key")).json() is False
    missing = await client.get(f"{KV}/my-key")
    assert missing.status_code == 404
    assert missing.json()["message"] == (
        "Not Found: No value found for key 'my-key' in namespace 'company.team'"
    )


async def test_lists(server: Server) -> None:
    client = server.client
    for namespace, key in (("company.team", "b"), ("company.team", "a"), ("company", "outer"), ("x", "y")):
        path = f"/api/v1/main/namespaces/{namespace}/kv/{key}"
        await client.put(path, content="1", headers={"description": f"{key}!"})
    one = (await client.get(KV)).json()
    assert [(entry["key"], entry["description"]) for entry in one] == [("a", "a!"), ("b", "b!")]
    page = (await client.get("/api/v1/main/kv", params={"size": 2, "sort": "key:desc"})).json()
    assert [entry["key"] for entry in page["results"]] == ["y", "outer"]
    assert page["total"] == 4
    for path in ("/api/v1/main/kv", "/api/v1/main/kv/", "/api/v1/kv"):
        found = (await client.get(path, params={"filters[namespace][EQUALS]": " company"})).json()
        assert [entry["key"] for entry in found["results"]] == ["outer"]
    found = (await client.get("/api/v1/main/kv", params={"filters[q][EQUALS]": "OUT"})).json()
    assert found["total"] == 1
    inherited: list[dict[str, Any]] = (await client.get(f"{KV}/inheritance")).json()
    assert [entry["key"] for entry in inherited] == ["outer"]


async def test_several_are_deleted_at_once(local_server: Server) -> None:
    client = local_server.client
    for key in ("a", "b"):
        await client.put(f"{KV}/{key}", content="1")
    answer = await client.request("DELETE", KV, json={"keys": ["a", "none", "b"]})
    assert answer.json() == {"keys": ["a", "b"]}
    assert (await client.get(KV)).json() == []


async def test_what_cannot_be_is_refused(local_server: Server) -> None:
    client = local_server.client
    assert (await client.put(f"{KV}/a", content="{bad")).status_code == 422
    assert (await client.put(f"{KV}/.a", content="1")).status_code == 422
    assert (await client.put(f"{KV}/a", content="1", headers={"ttl": "soon"})).status_code == 400
    assert (await client.get("/api/v1/main/kv", params={"sort": "value"})).status_code == 400
    assert (await client.get("/api/v1/main/kv", params={"filters[x][EQUALS]": "1"})).status_code == 400
