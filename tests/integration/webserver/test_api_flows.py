"""Flows over the API: their life, their revisions, and what is said of bad ones."""

from __future__ import annotations

import io
import zipfile

import pytest
from tests.integration.webserver.server import Server

FLOWS = "/api/v1/main/flows"


def source(id_: str, *, namespace: str = "company.team", message: str = "hi", extra: str = "") -> str:
    return (
        f"id: {id_}\nnamespace: {namespace}\n# a comment that is kept\n{extra}"
        f"tasks:\n  - id: t\n    type: io.kestra.plugin.core.log.Log\n    message: {message}\n"
    )


async def test_a_flow_lives_through_its_revisions(server: Server) -> None:
    client = server.client
    created = await server.create_flow(source("one"))
    assert created["revision"] == 1
    assert created["source"] == source("one")
    assert created["deleted"] is False
    assert created["tenantId"] == "main"
    assert created["triggers"] == []

    again = await client.post(FLOWS, content=source("one"))
    assert again.status_code == 422
    assert "flow.id: Flow id already exists" in again.json()["message"]

    same = await client.put(f"{FLOWS}/company.team/one", content=source("one"))
    assert same.json()["revision"] == 1
    changed = await client.put(f"{FLOWS}/company.team/one", content=source("one", message="ho"))
    assert changed.json()["revision"] == 2

    old = await client.get(f"{FLOWS}/company.team/one", params={"revision": 1, "source": True})
    assert old.json()["source"] == source("one")
    assert "source" not in (await client.get(f"{FLOWS}/company.team/one")).json()

    assert (await client.delete(f"{FLOWS}/company.team/one")).status_code == 204
    assert (await client.get(f"{FLOWS}/company.team/one")).status_code == 404
    assert (await client.delete(f"{FLOWS}/company.team/one")).status_code == 404
    gone = await client.get(f"{FLOWS}/company.team/one", params={"allowDeleted": True})
    assert (gone.json()["revision"], gone.json()["deleted"]) == (3, True)
    revisions = await client.get(f"{FLOWS}/company.team/one/revisions", params={"allowDelete": True})
    assert [one["revision"] for one in revisions.json()] == [1, 2, 3]
    assert (await server.create_flow(source("one")))["revision"] == 4


async def test_an_edit_based_on_an_old_revision_is_refused(local_server: Server) -> None:
    client = local_server.client
    await local_server.create_flow(source("one"))
    read = await client.get(f"{FLOWS}/company.team/one")
    path = f"{FLOWS}/company.team/one"
    etag = {"If-Match": read.headers["ETag"]}
    assert (await client.put(path, content=source("one", message="mine"), headers=etag)).status_code == 200
    late = await client.put(path, content=source("one", message="yours"), headers=etag)
    assert late.status_code == 409
    assert "revision 2" in late.json()["message"]
    late = await client.put(path, content=source("one", message="yours"), params={"baseRevision": 1})
    assert late.status_code == 409
    odd = await client.put(path, content=source("one"), headers={"If-Match": '"abc"'})
    assert odd.status_code == 400


async def test_an_update_must_be_about_the_flow_of_the_path(local_server: Server) -> None:
    await local_server.create_flow(source("one"))
    put = local_server.client.put
    assert (await put(f"{FLOWS}/company.team/other", content=source("one"))).status_code == 404
    moved = await put(f"{FLOWS}/company.team/one", content=source("two", namespace="company.other"))
    assert moved.status_code == 422
    paths = [error["path"] for error in moved.json()["_embedded"]["errors"]]
    assert paths == ["flow.namespace", "flow.id"]


async def test_everything_wrong_with_a_flow_is_told(local_server: Server) -> None:
    task = "tasks:\n  - id: t\n    type: io.kestra.plugin.core.log.Log\n"
    bad = f"id: bad\nnamespace: company.team\nfoo: 1\n{task}"
    refused = await local_server.client.post(FLOWS, content=bad)
    assert refused.status_code == 422
    assert 'Unrecognized field "foo"' in refused.json()["message"]
    assert "t.message: must not be null" in refused.json()["message"]
    for content in (b"", b"tasks: [", b"\xff\xfe\x00", b"- 1\n- 2\n", b"&a [*a]"):
        assert (await local_server.client.post(FLOWS, content=content)).status_code in (400, 422)


async def test_a_source_beyond_the_limit_is_refused_whole(local_server: Server) -> None:
    huge = source("huge") + "# " + "x" * (3 << 20)
    response = await local_server.client.post(FLOWS, content=huge)
    assert response.status_code == 413


async def test_each_document_is_validated_for_itself(local_server: Server) -> None:
    await local_server.create_flow(source("known"))
    text = "---\n".join(
        [source("good"), "id: bad\nnamespace: company.team\n", source("known", extra="revision: 7\n")]
    )
    results = (await local_server.client.post(f"{FLOWS}/validate", content=text)).json()
    assert [(one["index"], one["flow"]) for one in results] == [(0, "good"), (1, "bad"), (2, "known")]
    assert "constraints" not in results[0]
    assert "tasks: must not be empty" in results[1]["constraints"]
    assert [one["outdated"] for one in results] == [False, False, True]


async def test_what_is_wrong_has_a_place_and_a_hint(local_server: Server) -> None:
    wrong = source("wrong").replace("message:", "mesage:") + "disabled: perhaps\n"
    line = 1 + wrong[: wrong.index("mesage")].count("\n")

    refused = await local_server.client.post(FLOWS, content=wrong)
    (checked,) = (await local_server.client.post(f"{FLOWS}/validate", content=wrong)).json()

    errors = refused.json()["_embedded"]["errors"]
    assert checked["errors"] == errors
    misspelt = next(error for error in errors if "suggestion" in error)
    assert (misspelt["line"], misspelt["suggestion"]) == (line, "message")
    assert errors[-1] == {
        "message": "must be true or false, not `perhaps`",
        "path": "disabled",
        "line": wrong.count("\n"),
        "column": 11,
    }


async def test_a_flow_that_is_refused_is_still_told_what_is_old_in_it(local_server: Server) -> None:
    text = (
        "id: old\nnamespace: company.team\n"
        "inputs:\n  - {name: i, type: MULTISELECT, options: [a]}\n"
        "tasks:\n  - {id: t, type: io.kestra.core.tasks.log.Log}\n"
    )
    (found,) = (await local_server.client.post(f"{FLOWS}/validate", content=text)).json()
    assert found["constraints"] == "t.message: must not be null"
    assert sorted(found["deprecationPaths"]) == ["inputs[0].name", "inputs[0].options"]
    assert found["infos"] == ["io.kestra.core.tasks.log.Log is replaced by io.kestra.plugin.core.log.Log"]


async def test_flows_are_found(server: Server) -> None:
    client = server.client
    labelled = "labels:\n  team: data\n"
    await server.create_flow(source("alpha", extra=labelled))
    await server.create_flow(source("beta", namespace="company.team.sub"))
    await server.create_flow(source("gamma", namespace="company.teams", message="needle"))

    async def found(**params: str) -> list[str]:
        response = await client.get(f"{FLOWS}/search", params=params)
        assert response.status_code == 200, response.text
        return [flow["id"] for flow in response.json()["results"]]

    assert await found() == ["alpha", "beta", "gamma"]
    assert await found(sort="id:desc") == ["gamma", "beta", "alpha"]
    assert await found(q="alp") == ["alpha"]
    assert await found(namespace="company.team") == ["alpha", "beta"]
    assert await found(labels="team:data") == ["alpha"]
    assert await found(**{"filters[namespace][EQUALS]": "company.team"}) == ["alpha"]
    assert await found(**{"filters[namespace][IN]": "company.team,company.teams"}) == ["alpha", "gamma"]
    assert await found(**{"filters[labels][EQUALS][team]": "data"}) == ["alpha"]
    assert await found(**{"filters[flowId][STARTS_WITH]": "ga"}) == ["gamma"]
    page = await client.get(f"{FLOWS}/search", params={"size": 2, "page": 2})
    assert (page.json()["total"], len(page.json()["results"])) == (3, 1)
    beyond = await client.get(f"{FLOWS}/search", params={"page": 9})
    assert beyond.json() == {"results": [], "total": 3}

    hits = (await client.get(f"{FLOWS}/source", params={"q": "needle"})).json()
    assert [hit["model"]["id"] for hit in hits["results"]] == ["gamma"]
    assert hits["results"][0]["fragments"] == ["    message: [mark]needle[/mark]"]
    assert (await client.get(f"{FLOWS}/distinct-namespaces")).json() == [
        "company.team",
        "company.team.sub",
        "company.teams",
    ]
    assert [flow["id"] for flow in (await client.get(f"{FLOWS}/company.team")).json()] == ["alpha"]
    task = await client.get(f"{FLOWS}/company.team/alpha/tasks/t")
    assert task.json()["type"] == "io.kestra.plugin.core.log.Log"
    assert (await client.get(f"{FLOWS}/company.team/alpha/tasks/zz")).status_code == 404


async def test_flows_are_switched_off_and_on_without_losing_a_line(local_server: Server) -> None:
    client = local_server.client
    await local_server.create_flow(source("one"))
    ids = [{"namespace": "company.team", "id": "one"}]
    assert (await client.post(f"{FLOWS}/disable/by-ids", json=ids)).json() == {"count": 1}
    assert (await client.post(f"{FLOWS}/disable/by-ids", json=ids)).json() == {"count": 0}
    flow = (await client.get(f"{FLOWS}/company.team/one", params={"source": True})).json()
    assert flow["disabled"] is True
    assert "# a comment that is kept" in flow["source"]
    refused = await client.post("/api/v1/main/executions/company.team/one")
    assert refused.status_code == 409
    assert "Requested Flow is disabled." in refused.json()["message"]
    query = {"filters[namespace][EQUALS]": "company.team"}
    assert (await client.post(f"{FLOWS}/enable/by-query", params=query)).json() == {"count": 1}
    assert (await client.post("/api/v1/main/executions/company.team/one")).status_code == 200
    missing = [{"namespace": "company.team", "id": "zz"}]
    assert (await client.post(f"{FLOWS}/disable/by-ids", json=missing)).status_code == 404


async def test_a_namespace_becomes_what_is_sent(local_server: Server) -> None:
    client = local_server.client
    await local_server.create_flow(source("old"))
    await local_server.create_flow(source("kept"))
    text = "---\n".join([source("kept"), source("new")])
    saved = await client.post(f"{FLOWS}/company.team", content=text)
    assert [(flow["id"], flow["revision"]) for flow in saved.json()] == [("kept", 1), ("new", 1)]
    assert [flow["id"] for flow in (await client.get(f"{FLOWS}/company.team")).json()] == ["kept", "new"]
    foreign = await client.post(f"{FLOWS}/company.team", content=source("x", namespace="elsewhere"))
    assert foreign.status_code == 422
    half_bad = source("fresh") + "---\nid: bad\nnamespace: company.team\n"
    assert (await client.post(f"{FLOWS}/bulk", content=half_bad)).status_code == 422
    assert (await client.get(f"{FLOWS}/company.team/fresh")).status_code == 404


async def test_what_is_exported_can_be_imported(local_server: Server) -> None:
    client = local_server.client
    await local_server.create_flow(source("one"))
    await local_server.create_flow(source("two"))
    archive = await client.get(f"{FLOWS}/export/by-query")
    names = zipfile.ZipFile(io.BytesIO(archive.content)).namelist()
    assert names == ["company.team-one.yml", "company.team-two.yml"]
    deleted = await client.delete(f"{FLOWS}/delete/by-query")
    assert deleted.json() == {"count": 2}
    imported = await client.post(f"{FLOWS}/import", files={"fileUpload": ("flows.zip", archive.content)})
    assert imported.json() == []
    read = await client.get(f"{FLOWS}/company.team/one", params={"source": True})
    assert read.json()["source"] == source("one")


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ({"fileUpload": ("a.zip", b"PK\x03\x04 broken")}, 400),
        ({"fileUpload": ("a.yml", b"\xff\xff")}, 400),
        ({"other": ("a.yml", b"id: x")}, 400),
    ],
)
async def test_bad_imports(local_server: Server, files: dict[str, tuple[str, bytes]], status: int) -> None:
    response = await local_server.client.post(f"{FLOWS}/import", files=files)
    assert response.status_code == status, response.text
    assert (await local_server.client.post(f"{FLOWS}/import", content=b"id: x")).status_code == 415
