"""Namespaces over the API: their variables and plugin defaults in flows."""

from __future__ import annotations

from tests.integration.webserver.server import Server

NAMESPACES = "/api/v1/main/namespaces"
FLOW = """
id: greet
namespace: company.team
tasks:
  - id: say
    type: io.kestra.plugin.core.debug.Return
outputs:
  - {id: said, type: STRING, value: "{{ outputs.say.value }}"}
"""
RETURN = "io.kestra.plugin.core.debug.Return"


def returning(value: str, *, forced: bool = False) -> dict[str, object]:
    return {"type": RETURN, "values": {"format": value}, "forced": forced}


async def said(server: Server) -> object:
    return (await server.execute("greet"))["outputs"]["said"]


async def test_a_namespace_from_its_creation_to_its_end(server: Server) -> None:
    client = server.client
    body = {"id": "company", "description": "All of it", "variables": {"a": {"b": 1}}}
    created = await client.post(NAMESPACES, json=body)
    assert created.json() == {"deleted": False, **body}
    again = await client.post(NAMESPACES, json=body)
    assert (again.status_code, again.json()["message"]) == (
        422,
        "Invalid entity: namespace.id: Namespace id already exists",
    )
    changed = await client.put(f"{NAMESPACES}/company", json={"variables": None, "pluginDefaults": []})
    assert changed.json() == {"id": "company", "deleted": False}
    assert (await client.delete(f"{NAMESPACES}/company")).status_code == 204
    assert (await client.delete(f"{NAMESPACES}/company")).status_code == 404
    assert (await client.get(f"{NAMESPACES}/company")).status_code == 404


async def test_records_outlive_the_server(server: Server) -> None:
    await server.client.put(f"{NAMESPACES}/company", json={"variables": {"a": 1}})
    definitions = server.services.definitions
    definitions.namespaces._replace({})
    await definitions.load()
    assert (await server.client.get(f"{NAMESPACES}/company")).json()["variables"] == {"a": 1}


async def test_lists(local_server: Server) -> None:
    client = local_server.client
    await local_server.create_flow(FLOW)
    await client.put(f"{NAMESPACES}/company", json={"description": "d"})
    await client.put(f"{NAMESPACES}/other", json={})
    page = (await client.get(f"{NAMESPACES}/search", params={"size": 2, "sort": "id:desc"})).json()
    assert [entry["id"] for entry in page["results"]] == ["other", "company.team"]
    assert page["total"] == 3
    existing = (await client.get(f"{NAMESPACES}/search", params={"existing": "true"})).json()
    assert [entry["id"] for entry in existing["results"]] == ["company", "other"]
    found = (await client.get(f"{NAMESPACES}/search", params={"filters[q][EQUALS]": "TEAM"})).json()
    assert [entry["id"] for entry in found["results"]] == ["company.team"]
    names = await client.post(f"{NAMESPACES}/autocomplete", json={"q": "comp", "ids": ["mine"]})
    assert names.json() == ["mine", "company", "company.team"]
    assert (await client.get(f"{NAMESPACES}/company.team")).json() == {"id": "company.team", "deleted": False}


async def test_expressions_read_variables_of_all_namespaces_around(local_server: Server) -> None:
    client = local_server.client
    source = FLOW.replace(
        "debug.Return", "debug.Return\n    format: '{{ namespace.git.url }}/{{ namespace.team }}'"
    )
    await local_server.create_flow(source)
    await client.put(
        f"{NAMESPACES}/company", json={"variables": {"git": {"url": "outer", "user": "u"}, "team": "none"}}
    )
    await client.put(f"{NAMESPACES}/company.team", json={"variables": {"team": "data"}})
    assert await said(local_server) == "outer/data"
    await client.put(f"{NAMESPACES}/company.team", json={"variables": {"git": {"url": "inner"}}})
    assert await said(local_server) == "inner/none"
    inherited = await client.get(f"{NAMESPACES}/company.team/inherited-variables")
    assert inherited.json() == {"git": {"url": "outer", "user": "u"}, "team": "none"}


async def test_plugin_defaults_of_namespaces(local_server: Server) -> None:
    client = local_server.client
    await local_server.create_flow(FLOW)
    await client.put(f"{NAMESPACES}/company", json={"pluginDefaults": [returning("outer")]})
    assert await said(local_server) == "outer"
    await client.put(f"{NAMESPACES}/company.team", json={"pluginDefaults": [returning("inner")]})
    assert await said(local_server) == "inner"
    inherited = (await client.get(f"{NAMESPACES}/company.team/inherited-plugindefaults")).json()
    assert inherited == [returning("outer")]
    await client.put(f"{NAMESPACES}/company", json={"pluginDefaults": [returning("forced", forced=True)]})
    assert await said(local_server) == "forced"
    await client.delete(f"{NAMESPACES}/company")
    own = f"pluginDefaults: [{{type: {RETURN}, values: {{format: own}}}}]\n"
    await client.put("/api/v1/main/flows/company.team/greet", content=FLOW + own)
    assert await said(local_server) == "own"


async def test_what_cannot_be_is_refused(local_server: Server) -> None:
    client = local_server.client
    for body, wrong in (
        ({"id": "Company"}, "namespace.id"),
        ({"id": "company", "storageType": "s3"}, "namespace.storageType"),
        ({"id": "company", "pluginDefaults": [{"values": {}}]}, "namespace.pluginDefaults.0.type"),
    ):
        answer = await client.post(NAMESPACES, json=body)
        assert answer.status_code == 422
        assert [error["path"] for error in answer.json()["_embedded"]["errors"]] == [wrong]
    assert (await client.post(NAMESPACES, content="{")).status_code == 400
    assert (await client.put(f"{NAMESPACES}/company", json={"id": "other"})).status_code == 422
