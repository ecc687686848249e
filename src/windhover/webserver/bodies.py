"""Request bodies, read within limits."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.requests import Request

from windhover.webserver.errors import bad_request, too_large

Body = TypeVar("Body")

#: The largest JSON body of a request, in bytes: long lists of ids are far below it.
MAX_JSON_BYTES = 16 * 1024 * 1024


async def read_body(request: Request, limit: int, what: str = "The body") -> bytes:
    """The whole body.

    Raises:
        ApiError: 413, it has more than ``limit`` bytes.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _exceeds(what, limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _exceeds(what, limit)
        chunks.append(chunk)
    return b"".join(chunks)


async def read_text(request: Request, limit: int, what: str = "The body") -> str:
    """The whole body as UTF-8 text.

    Raises:
        ApiError: 413, it is too large; 400, it is no UTF-8.
    """
    body = await read_body(request, limit, what)
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise bad_request(f"{what} is no UTF-8 text: byte {error.start} cannot be decoded.") from None


async def read_json(request: Request, kind: type[Body], limit: int = MAX_JSON_BYTES) -> Body:
    """The body, decoded from JSON as ``kind``.

    Raises:
        ApiError: 413, it is too large; 400, it is no JSON, or not what is expected.
    """
    body = await read_body(request, limit)
    if not body.strip():
        raise bad_request("A JSON body is expected, and there is none.")
    return decode_json(body, kind)


def decode_json(body: bytes, kind: type[Body]) -> Body:
    """A body that has been read, decoded as ``kind``.

    Raises:
        ApiError: 400, it is no JSON, or not what is expected.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"The JSON body cannot be read: {error}") from None


def _exceeds(what: str, limit: int) -> Exception:
    return too_large(f"{what} is larger than the limit of {limit} bytes.")
