"""HTTP requests that expressions make: ``http(uri='https://example.com')``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import msgspec

from windhover.expression import EvaluationError, to_json, to_text
from windhover.util.durations import parse_duration

if TYPE_CHECKING:
    import httpx

#: Seconds for connecting, and for every wait for more of the answer.
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0

#: The largest answer that is read, in bytes.
MAX_ANSWER = 16 * 1024 * 1024

_FORM = "application/x-www-form-urlencoded"


class HttpRequest(msgspec.Struct, frozen=True):
    """One request; ``options`` are those of the HTTP tasks (``timeout``, ``auth``, ``allowFailed``, …)."""

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

    if urlsplit(request.uri).scheme not in ("http", "https"):
        raise EvaluationError(f"'{request.uri}' is no address of HTTP: it begins with http:// or https://.")
    options = request.options
    try:
        async with (
            httpx.AsyncClient(
                timeout=_timeout(options),
                verify=_is_verified(request),
                follow_redirects=options.get("followRedirects", True) is not False,
            ) as client,
            client.stream(
                request.method,
                request.uri,
                params=httpx.QueryParams(_query(request.query)) if request.query else None,
                headers=_headers(request),
                content=_content(request),
            ) as answer,
        ):
            content = bytearray()
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER:
                    raise EvaluationError(f"The answer of {request.uri} is larger than {MAX_ANSWER} bytes.")
            _check_status(request, answer.status_code)
            return _parsed(bytes(content), answer.headers.get("content-type", ""), answer.encoding or "utf-8")
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise EvaluationError(
            f"The request to {request.uri} failed: {error or type(error).__name__}"
        ) from None


def _timeout(options: Mapping[str, object]) -> httpx.Timeout:
    import httpx

    given = options.get("timeout")
    times = given if isinstance(given, Mapping) else {}
    connect = _seconds(times.get("connectTimeout"), CONNECT_SECONDS)
    return httpx.Timeout(_seconds(times.get("readIdleTimeout"), READ_SECONDS), connect=connect)


def _seconds(value: object, default: float) -> float:
    if value is None:
        return default
    try:
        return parse_duration(to_text(value)).total_seconds()
    except ValueError as error:
        raise EvaluationError(f"The 'http' function: {error}") from None


def _is_verified(request: HttpRequest) -> bool:
    """Reading all certificates takes time, which a request without encryption need not spend."""
    ssl = request.options.get("ssl")
    trusts_all = isinstance(ssl, Mapping) and ssl.get("insecureTrustAllCertificates") is True
    return not trusts_all and (
        request.uri.startswith("https:") or request.options.get("followRedirects", True) is not False
    )


def _query(query: Mapping[str, object]) -> list[tuple[str, str | int | float | bool | None]]:
    pairs: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in query.items():
        pairs += ((name, to_text(item)) for item in (value if isinstance(value, list | tuple) else [value]))
    return pairs


def _headers(request: HttpRequest) -> dict[str, str]:
    headers = {"accept": request.accept}
    if request.body is not None:
        headers["content-type"] = request.content_type
    auth = request.options.get("auth")
    if isinstance(auth, Mapping):
        headers["authorization"] = _authorization(auth)
    return headers | {name.lower(): to_text(value) for name, value in request.headers.items()}


def _authorization(auth: Mapping[str, object]) -> str:
    from base64 import b64encode

    match auth.get("type"):
        case "BASIC":
            pair = f"{to_text(auth.get('username'))}:{to_text(auth.get('password'))}"
            return f"Basic {b64encode(pair.encode()).decode()}"
        case "BEARER":
            return f"Bearer {to_text(auth.get('token'))}"
        case other:
            raise EvaluationError(f"The 'http' function knows the auth types BASIC and BEARER, not {other}.")


def _content(request: HttpRequest) -> bytes | None:
    body = request.body
    if body is None:
        return None
    if request.content_type == _FORM and isinstance(body, Mapping):
        return urlencode({to_text(name): to_text(value) for name, value in body.items()}).encode()
    return (body if isinstance(body, str) else to_json(body)).encode()


def _check_status(request: HttpRequest, status: int) -> None:
    allowed = request.options.get("allowedResponseCodes")
    if isinstance(allowed, list) and allowed:
        refused = status not in allowed
    else:
        refused = status >= 400 and request.options.get("allowFailed") is not True
    if refused:
        raise EvaluationError(
            f"The request to {request.uri} failed: it was answered with the status {status}."
        )


def _parsed(content: bytes, content_type: str, encoding: str) -> object:
    media_type = content_type.partition(";")[0].strip().lower()
    if not content or not (media_type == "application/json" or media_type.endswith("+json")):
        return content.decode(encoding, errors="replace")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise EvaluationError(f"The answer says that it is JSON, and is not: {error}") from None
