"""HTTP requests that expressions make: ``http(uri='https://example.com')``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode, urlsplit

import msgspec

from windhover.expression import EvaluationError, to_json, to_text
from windhover.expression.values import json_data
from windhover.model.execution import JsonValue

if TYPE_CHECKING:
    from windhover.core.http_options import HttpOptions

#: For connecting, and for every wait for more of the answer; an option changes it.
TIMEOUT: JsonValue = {"connectTimeout": "PT10S", "readIdleTimeout": "PT30S"}

#: The largest answer that is read, in bytes.
MAX_ANSWER = 16 * 1024 * 1024

_FORM = "application/x-www-form-urlencoded"


class HttpRequest(msgspec.Struct, frozen=True):
    """One request; ``options`` are those of the HTTP tasks (``timeout``, ``auth``, ``proxy``, …)."""

    uri: str
    method: str
    query: Mapping[str, object]
    body: object
    content_type: str
    headers: Mapping[str, object]
    options: Mapping[str, object]
    accept: str


async def fetch(request: HttpRequest) -> object:
    """The body of the answer: parsed if it is JSON, else its text.

    Raises:
        EvaluationError: the request cannot be made, or is answered with an error.
    """
    import httpx

    from windhover.core.http_client import open_client

    if urlsplit(request.uri).scheme not in ("http", "https"):
        raise EvaluationError(f"'{request.uri}' is no address of HTTP: it begins with http:// or https://.")
    options = _options(request)
    try:
        async with (
            open_client(options) as client,
            client.stream(
                request.method,
                request.uri,
                params=httpx.QueryParams(_query(request.query)) if request.query else None,
                headers=_headers(request, options),
                content=_content(request),
            ) as answer,
        ):
            content = bytearray()
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER:
                    raise EvaluationError(f"The answer of {request.uri} is larger than {MAX_ANSWER} bytes.")
            if not options.accepts(answer.status_code):
                raise EvaluationError(
                    f"The request to {request.uri} failed: it was answered with the status "
                    f"{answer.status_code}."
                )
            return _parsed(bytes(content), answer.headers.get("content-type", ""), answer.encoding or "utf-8")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, ImportError) as error:
        raise EvaluationError(
            f"The request to {request.uri} failed: {error or type(error).__name__}"
        ) from None


def _options(request: HttpRequest) -> HttpOptions:
    """The options of the request, which waits less long than a task would."""
    from windhover.core.http_options import HttpOptions
    from windhover.plugin.definition import bind_properties
    from windhover.plugin.problems import InvalidProperties

    given = {name: cast("JsonValue", json_data(value)) for name, value in request.options.items()}
    try:
        return bind_properties(HttpOptions, {"timeout": TIMEOUT, **given})
    except InvalidProperties as error:
        raise EvaluationError(f"The options of the 'http' function: {error}") from None


def _query(query: Mapping[str, object]) -> list[tuple[str, str | int | float | bool | None]]:
    pairs: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in query.items():
        pairs += ((name, to_text(item)) for item in (value if isinstance(value, list | tuple) else [value]))
    return pairs


def _headers(request: HttpRequest, options: HttpOptions) -> dict[str, str]:
    from windhover.core.http_client import bearer_header

    headers = {"accept": request.accept} | bearer_header(options)
    if request.body is not None:
        headers["content-type"] = request.content_type
    return headers | {name.lower(): to_text(value) for name, value in request.headers.items()}


def _content(request: HttpRequest) -> bytes | None:
    body = request.body
    if body is None:
        return None
    if request.content_type == _FORM and isinstance(body, Mapping):
        return urlencode({to_text(name): to_text(value) for name, value in body.items()}).encode()
    return (body if isinstance(body, str) else to_json(body)).encode()


def _parsed(content: bytes, content_type: str, encoding: str) -> object:
    media_type = content_type.partition(";")[0].strip().lower()
    if not content or not (media_type == "application/json" or media_type.endswith("+json")):
        return content.decode(encoding, errors="replace")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise EvaluationError(f"The answer says that it is JSON, and is not: {error}") from None
