"""Files of namespaces over the API."""

from __future__ import annotations

import io
import zipfile

from tests.integration.webserver.server import Server

FILES = "/api/v1/main/namespaces/company.team/files"


async def upload(server: Server, path: str, content: bytes) -> int:
    files = {"fileContent": ("name", content)}
    return (await server.client.post(FILES, params={"path": path}, files=files)).status_code


async def test_a_file_and_its_revisions(server: Server) -> None:
    client = server.client
    assert await upload(server, "/sql/a b.sql", b"one") == 200
    assert await upload(server, "/sql/a b.sql", b"second") == 200
    path = {"path": "sql/a b.sql"}
    latest = await client.get(FILES, params=path)
    assert latest.content == b"second"
    assert latest.headers["content-length"] == "6"
    assert (await client.get(FILES, params={**path, "revision": 1})).content == b"one"
    assert (await client.get(f"{FILES}/revisions", params=path)).json() == [{"revision": 1}, {"revision": 2}]
    stats = (await client.get(f"{FILES}/stats", params=path)).json()
    assert (stats["type"], stats["size"], stats["fileName"]) == ("File", 6, "a b.sql")
    assert (await client.get(FILES, params={**path, "revision": 3})).status_code == 404
    missing = await client.get(FILES, params={"path": "none"})
    assert missing.json()["message"] == "Not Found: File '/none' was not found in namespace 'company.team'."


async def test_directories(server: Server) -> None:
    client = server.client
    for path in ("z.txt", "a/b/c.txt"):
        await upload(server, path, b"x")
    await client.post(f"{FILES}/directory", params={"path": "/empty"})
    root = (await client.get(f"{FILES}/directory")).json()
    assert [(entry["type"], entry["fileName"]) for entry in root] == [
        ("Directory", "a"),
        ("Directory", "empty"),
        ("File", "z.txt"),
    ]
    inner = (await client.get(f"{FILES}/directory", params={"path": "/a/b"})).json()
    assert [entry["fileName"] for entry in inner] == ["c.txt"]
    assert (await client.get(f"{FILES}/directory", params={"path": "none"})).status_code == 404
    assert (await client.get(f"{FILES}/stats", params={"path": "a"})).json()["type"] == "Directory"
    assert (await client.get(f"{FILES}/search", params={"q": "C.T"})).json() == ["/a/b/c.txt"]
    moved = await client.put(FILES, params={"from": "/a/b", "to": "/d"})
    assert moved.status_code == 200
    assert (await client.get(FILES, params={"path": "d/c.txt"})).content == b"x"
    assert (await client.put(FILES, params={"from": "d", "to": "z.txt"})).status_code == 409
    assert (await client.delete(FILES, params={"path": "d"})).status_code == 200
    assert (await client.delete(FILES, params={"path": "d"})).status_code == 404
    assert (await client.get(f"{FILES}/search", params={"q": ""})).json() == ["/z.txt"]


async def test_export(local_server: Server) -> None:
    large = b"0123456789" * 100_000
    await upload(local_server, "dir/large.txt", large)
    await upload(local_server, "empty", b"")
    answer = await local_server.client.get(f"{FILES}/export")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    assert archive.namelist() == ["dir/large.txt", "empty"]
    assert archive.read("dir/large.txt") == large


async def test_what_cannot_be_is_refused(local_server: Server) -> None:
    for path in ("../x", "a/../../x", "/", "a\\b"):
        assert await upload(local_server, path, b"x") == 400
    await upload(local_server, "a", b"x")
    assert await upload(local_server, "a/b", b"x") == 409
    answer = await local_server.client.post(FILES, params={"path": "a"}, files={"other": ("n", b"x")})
    assert answer.status_code == 400
