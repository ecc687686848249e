"""Stored secrets over the API, on both databases."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.integration.webserver.server import KEY, Server, running_server

from windhover.engine.encryption import SecretCipher
from windhover.repository.database import Database
from windhover.repository.statement import sql

API = "/api/v1/main"
SECRETS = f"{API}/namespaces/company.team/secrets"
VALUE = "v4lue-nobody-sees"


@pytest_asyncio.fixture
async def server(database: Database, tmp_path: Path) -> AsyncIterator[Server]:
    """A server with a key, and two secrets in its environment."""
    options: dict[str, Any] = {
        "cipher": SecretCipher(KEY),
        "environment_secrets": lambda: ["SHARED", "FROM_OUTSIDE"],
    }
    async with running_server(database, tmp_path, executor=False, **options) as running:
        yield running


async def put(server: Server, key: str, namespace: str = "company.team", **more: object) -> dict[str, Any]:
    path = f"{API}/namespaces/{namespace}/secrets"
    response = await server.client.put(path, json={"key": key, "value": VALUE, **more})
    assert response.status_code == 200, response.text
    (told,) = response.json()
    return dict(told)


async def test_a_secret_from_its_creation_to_its_end(server: Server) -> None:
    client = server.client
    tags = [{"key": "owner", "value": "data"}]
    told = await put(server, "db_password", description="Of the warehouse", tags=tags)
    assert {name: told[name] for name in ("key", "namespace", "description", "tags")} == {
        "key": "DB_PASSWORD",
        "namespace": "company.team",
        "description": "Of the warehouse",
        "tags": tags,
    }
    listed = (await client.get(SECRETS)).json()
    assert listed == {"results": [told], "total": 1, "readOnly": False}

    changed = await client.patch(f"{SECRETS}/db_password", json={"tags": []})
    assert changed.status_code == 200
    assert (changed.json()[0]["description"], changed.json()[0]["tags"]) == ("Of the warehouse", [])
    changed = await client.patch(
        f"{SECRETS}/DB_PASSWORD", json={"key": "DB_PASSWORD", "description": None, "tags": tags}
    )
    assert "description" not in changed.json()[0]

    deleted = await client.delete(f"{SECRETS}/Db_Password")
    assert (deleted.status_code, deleted.content) == (200, b"")
    for response in (
        await client.delete(f"{SECRETS}/DB_PASSWORD"),
        await client.patch(f"{SECRETS}/DB_PASSWORD", json={"tags": []}),
    ):
        assert response.status_code == 404
        assert response.json()["message"] == (
            "Not Found: there is no secret 'DB_PASSWORD' in namespace 'company.team'"
        )


async def test_lists(server: Server) -> None:
    client = server.client
    for namespace, key in (("company.team", "B"), ("company.team", "A"), ("company", "OUTER"), ("x", "Y")):
        await put(server, key, namespace, description=f"{key}!")

    async def keys(path: str, **params: object) -> list[str]:
        response = await client.get(path, params=params)  # type: ignore[arg-type]
        assert response.status_code == 200, response.text
        return [entry["key"] for entry in response.json()["results"]]

    assert await keys(SECRETS) == ["A", "B"]
    assert await keys(f"{API}/secrets") == ["A", "B", "OUTER", "Y", "FROM_OUTSIDE", "SHARED"]
    assert await keys("/api/v1/secrets", size=3, page=2) == ["Y", "FROM_OUTSIDE", "SHARED"]
    assert await keys(f"{API}/secrets", size=4, page=2) == ["FROM_OUTSIDE", "SHARED"]
    assert await keys(f"{API}/secrets", size=2, sort="key:desc") == ["Y", "OUTER"]
    assert await keys(f"{API}/secrets", **{"filters[q][EQUALS]": "out"}) == ["OUTER", "FROM_OUTSIDE"]
    assert await keys(f"{API}/secrets", **{"filters[namespace][PREFIX]": "company"}) == ["A", "B", "OUTER"]
    page = (await client.get(f"{API}/secrets", params={"size": 5})).json()
    assert page["total"] == 6
    assert page["results"][-1] == {"key": "FROM_OUTSIDE", "tags": []}


async def test_every_inherited_name_stands_once_where_it_comes_from(server: Server) -> None:
    for namespace, key in (("company.team", "A"), ("company", "A"), ("company", "SHARED"), ("x", "Y")):
        await put(server, key, namespace)
    inherited = await server.client.get(f"{API}/namespaces/company.team/inherited-secrets")
    assert inherited.json() == {"company.team": ["A", "FROM_OUTSIDE"], "company": ["SHARED"]}
    none = await server.client.get(f"{API}/namespaces/none/inherited-secrets")
    assert none.json() == {"none": ["FROM_OUTSIDE", "SHARED"]}


async def test_an_editor_is_offered_the_names(server: Server) -> None:
    await put(server, "OUTER", "company")
    await put(server, "Y", "x")
    source = "id: f\nnamespace: company.team\ntasks:\n  - id: t\n    type: io.kestra.plugin.core.log.Log\n"
    offered = await server.client.post(f"{API}/flows/expressions", content=source)
    assert offered.json()["categories"]["secrets"] == [
        "secret('FROM_OUTSIDE')",
        "secret('OUTER')",
        "secret('SHARED')",
    ]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"key": "", "value": "v"}, 422, "key: must begin"),
        ({"key": "a/b", "value": "v"}, 422, "key: must begin"),
        ({"key": "x" * 257, "value": "v"}, 422, "key: must have at most 256 characters"),
        ({"key": "K", "value": ""}, 422, "value: must not be empty"),
        ({"key": "K", "value": VALUE * 4000}, 422, "value: must have at most 65536 bytes"),
        ({"key": "K", "value": VALUE * 100_000}, 413, "larger than the limit"),
        ({"key": "K", "value": [VALUE]}, 400, "Expected `str`"),
        ({"key": "K"}, 400, "missing required field `value`"),
        ({"key": "K", "value": VALUE, "tags": [{"key": "a"}]}, 400, "missing required field `value`"),
        ({"key": "K", "value": VALUE, "description": "x" * 10_001}, 422, "description: must have at most"),
    ],
)
async def test_what_cannot_be_is_refused_without_repeating_the_value(
    server: Server, body: dict[str, Any], status: int, words: str
) -> None:
    response = await server.client.put(SECRETS, json=body)
    assert response.status_code == status
    assert words in response.json()["message"]
    assert VALUE not in response.text
    assert (await server.client.get(SECRETS)).json()["total"] == 0


async def test_more_that_cannot_be(server: Server) -> None:
    client = server.client
    await put(server, "K")
    broken = await client.put(SECRETS, content=f'{{"key": "K", "value": "{VALUE}')
    assert broken.status_code == 400
    assert VALUE not in broken.text
    assert (await client.put(SECRETS, content=rb'{"key": "K", "value": "\ud800"}')).status_code in (400, 422)
    place = await client.put(f"{API}/namespaces/Upper%20Case/secrets", json={"key": "K", "value": VALUE})
    assert (place.status_code, place.json()["_embedded"]["errors"][0]["path"]) == (422, "namespace")
    for change in ({"value": VALUE}, {"key": "L", "tags": []}, {"namespace": "x", "tags": []}):
        response = await client.patch(f"{SECRETS}/K", json=change)
        assert response.status_code == 422
        assert VALUE not in response.text
    assert (await client.get(f"{API}/secrets", params={"sort": "value"})).status_code == 400
    assert (await client.get(f"{API}/secrets", params={"filters[x][EQUALS]": "1"})).status_code == 400
    assert (await client.get(f"{SECRETS}/K")).status_code == 405
    assert (await client.delete(f"{SECRETS}/%00")).status_code == 400
    assert (await client.get(f"{API}/namespaces/a%00/inherited-secrets")).status_code == 400
    assert (await client.get("/api/v1/nobody/secrets")).status_code == 404


async def test_without_a_key_names_can_be_seen_and_deleted_but_nothing_written(
    server: Server, database: Database, tmp_path: Path
) -> None:
    await put(server, "K")
    async with running_server(database, tmp_path / "other", executor=False) as keyless:
        refused = await keyless.client.put(SECRETS, json={"key": "K", "value": VALUE})
        assert refused.status_code == 409
        assert refused.json()["message"] == (
            "Illegal state: secrets cannot be stored, no encryption key is configured "
            "(set `kestra.encryption.secret-key`)"
        )
        listed = (await keyless.client.get(SECRETS)).json()
        assert (listed["total"], listed["readOnly"]) == (1, True)
        assert (await keyless.client.patch(f"{SECRETS}/K", json={"tags": []})).status_code == 200
        assert (await keyless.client.delete(f"{SECRETS}/K")).status_code == 200


async def test_no_route_no_log_and_no_table_shows_a_value(
    server: Server, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = server.client
    await put(server, "K", description="d")
    await put(server, "K", "company")
    names = {"tenant": "main", "namespace": "company.team", "key": "K", "id": "K"}
    asked = 0
    for path, operations in server.app.openapi()["paths"].items():
        if "get" not in operations or "follow" in path:
            continue
        for part in path.split("/"):
            if part.startswith("{"):
                path = path.replace(part, names.get(part.strip("{}"), "none"))
        response = await client.get(path)
        assert VALUE not in response.text, path
        asked += 1
    assert asked > 40
    assert VALUE not in str(server.app.openapi())
    assert VALUE not in caplog.text
    rows = await database.fetch(sql("SELECT * FROM secrets"), ())
    assert len(rows) == 2
    assert VALUE not in str(rows)
