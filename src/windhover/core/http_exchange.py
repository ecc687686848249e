"""One HTTP request and its answer, as the HTTP tasks make it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO
from urllib.parse import quote

from pydantic import BaseModel, Field

from windhover.core.http_client import bearer_header, open_client
from windhover.core.http_options import HttpOptions, LoggedPart, SslOptions
from windhover.core.record_files import local_copy
from windhover.expression import to_json, to_text
from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import MetricDescription
from windhover.plugin.task import TaskFailure

if TYPE_CHECKING:
    import httpx

_MULTIPART = "multipart/form-data"
_STORED = "kestra://"
_CHARSET = re.compile(r""";\s*charset\s*=\s*"?([^\s;"]+)""", re.IGNORECASE)
_LINE_ENDS = re.compile(r"\s*[\r\n]+\s*")
_LOGGED_CHARACTERS = 10_000
_ERROR_BODY_BYTES = 64 * 1024


#: What all HTTP tasks report, each with the tags of :func:`_report`.
EXCHANGE_METRICS = (
    MetricDescription("request.count", "counter", "Requests sent."),
    MetricDescription("request.bytes", "counter", "Bytes sent, headers included.", "bytes"),
    MetricDescription("response.count", "counter", "Answers received."),
    MetricDescription("response.bytes", "counter", "Bytes received, headers included.", "bytes"),
    MetricDescription("response.length", "counter", "Bytes of the body received.", "bytes"),
)


class HttpProperties(BaseModel):
    """The properties that all HTTP tasks have."""

    uri: Annotated[str, Field(description="The address; spaces in it are encoded.")]
    method: str = "GET"
    params: Annotated[
        dict[str, str | int | float | bool | list[str | int | float | bool]] | None,
        Field(description="Added to the query of the address; a list gives one parameter an element."),
    ] = None
    body: str | None = None
    form_data: Annotated[
        dict[str, JsonValue] | None,
        Field(
            description="Fields of a form, sent instead of `body`. With the content type "
            "`multipart/form-data` the URI of a stored file is uploaded; `name` and `content` give a file "
            "another name."
        ),
    ] = None
    content_type: str = "application/json"
    headers: dict[str, str] | None = None
    options: HttpOptions = HttpOptions()
    ssl_options: Annotated[SslOptions | None, Field(deprecated=True)] = None

    @property
    def effective_options(self) -> HttpOptions:
        """The options, with what older properties say."""
        changed: dict[str, object] = {}
        # Deprecated properties are not read as attributes, which would warn each time.
        if vars(self).get("allow_failed"):
            changed["allow_failed"] = True
        if self.options.ssl is None and vars(self)["ssl_options"] is not None:
            changed["ssl"] = vars(self)["ssl_options"]
        return self.options.model_copy(update=changed) if changed else self.options


@asynccontextmanager
async def exchange(
    properties: HttpProperties, ctx: RunContext, *, accept: str = "*/*", check: bool = True
) -> AsyncIterator[httpx.Response]:
    """Send the request and give the answer, whose body is still to be read.

    Raises:
        TaskFailure: it cannot be sent, or (with ``check``) the answer's status is not accepted.
    """
    import httpx

    options = properties.effective_options
    address = properties.uri.strip().replace(" ", "%20")
    if not address.startswith(("http://", "https://")):
        raise TaskFailure(f"'{properties.uri}' is no address of HTTP: it begins with http:// or https://")
    try:
        async with AsyncExitStack() as opened:
            client = await opened.enter_async_context(open_client(options))
            request = client.build_request(
                properties.method.upper(),
                _with_params(address, properties.params),
                headers=_headers(properties, options, accept),
                **await _content(properties, options, ctx, opened),
            )
            _log_request(ctx, options.logged(), request, properties)
            answer = await client.send(request, stream=True)
            opened.push_async_callback(answer.aclose)
            opened.callback(_report, ctx, answer)
            if "RESPONSE_HEADERS" in options.logged():
                ctx.logger.debug(f"Response: {answer.status_code}\n{_header_lines(answer.headers)}")
            if check and not options.accepts(answer.status_code):
                raise TaskFailure(await _refusal(answer))
            yield answer
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError, ImportError) as error:
        raise TaskFailure(f"The request to {address} failed: {error or type(error).__name__}") from None


def has_body(answer: httpx.Response) -> bool:
    """Whether the protocol gives the answer a body, which may be empty."""
    return answer.request.method != "HEAD" and answer.status_code not in (204, 205, 304)


def _report(ctx: RunContext, answer: httpx.Response) -> None:
    """Report the sizes of a request and of its answer, as far as that was read."""
    request = answer.request
    tags = {
        "request.hostname": request.url.host,
        "request.method": request.method,
        "request.scheme": request.url.scheme,
        "response.code": str(answer.status_code),
    }
    sent = len(request.method) + len(request.url.raw_path) + len("  HTTP/1.1\r\n")
    received = len(f"{answer.http_version} {answer.status_code} {answer.reason_phrase}\r\n")
    body = answer.num_bytes_downloaded
    counts = {
        "request.count": 1,
        "request.bytes": sent + _head_bytes(request.headers) + int(request.headers.get("content-length", 0)),
        "response.count": 1,
        "response.bytes": received + _head_bytes(answer.headers) + body,
        "response.length": body,
    }
    for name, value in counts.items():
        ctx.metric("counter", name, value, tags)


def _head_bytes(headers: httpx.Headers) -> int:
    return sum(len(name) + len(value) + len(": \r\n") for name, value in headers.raw) + len("\r\n")


def header_lists(answer: httpx.Response) -> dict[str, list[str]]:
    """The headers of an answer, each with all its values."""
    return {name: answer.headers.get_list(name) for name in answer.headers}


async def read_limited(answer: httpx.Response, maximum: int) -> bytes:
    """The body of an answer.

    Raises:
        TaskFailure: it has more than ``maximum`` bytes.
    """
    content = bytearray()
    async for chunk in answer.aiter_bytes():
        content += chunk
        if len(content) > maximum:
            raise TaskFailure(
                f"The answer has more than {maximum} bytes; use io.kestra.plugin.core.http.Download for it"
            )
    return bytes(content)


def _headers(properties: HttpProperties, options: HttpOptions, accept: str) -> list[tuple[bytes, bytes]]:
    headers = {"accept": accept}
    if not properties.form_data:  # that of a form is written with its body
        content_type = properties.content_type.strip()
        if not content_type:
            raise TaskFailure("`contentType` must not be blank")
        says_charset = _charset(properties) is not None or properties.body is None
        headers["content-type"] = (
            content_type if says_charset else f"{content_type}; charset={options.default_charset}"
        )
    headers |= bearer_header(options)
    headers |= {name.lower(): value for name, value in (properties.headers or {}).items()}
    return [(name.encode(), _header_value(value)) for name, value in headers.items()]


def _header_value(value: str) -> bytes:
    """A header's value on one line: text that YAML has folded may end in a line feed."""
    line = _LINE_ENDS.sub(" ", value).strip()
    try:
        return line.encode("latin-1")
    except UnicodeEncodeError:
        return line.encode()


def _with_params(address: str, params: Mapping[str, object] | None) -> httpx.URL:
    import httpx

    url = httpx.URL(address)
    given = [
        f"{quote(name, safe='')}={quote(to_text(item), safe='')}"
        for name, value in (params or {}).items()
        for item in (value if isinstance(value, list) else [value])
    ]
    present = [url.query.decode()] if url.query else []
    return url.copy_with(query="&".join(present + given).encode()) if given else url


async def _content(
    properties: HttpProperties, options: HttpOptions, ctx: RunContext, opened: AsyncExitStack
) -> dict[str, Any]:
    """What the request carries, as arguments of ``build_request``."""
    if properties.form_data and _media_type(properties) == _MULTIPART:
        return {"files": [await _part(each, ctx, opened) for each in properties.form_data.items()]}
    if properties.form_data:
        return {"data": {name: _form_text(value) for name, value in properties.form_data.items()}}
    if properties.body is not None:
        return {"content": properties.body.encode(_charset(properties) or options.default_charset)}
    return {}


async def _part(
    field: tuple[str, JsonValue], ctx: RunContext, opened: AsyncExitStack
) -> tuple[str, tuple[str | None, str | BinaryIO]]:
    """One part of a multipart body: a stored file, content under a file's name, or a plain field."""
    name, value = field
    file_name: str | None = None
    if isinstance(value, Mapping) and set(value) == {"name", "content"}:
        file_name, value = to_text(value["name"]), value["content"]
    if isinstance(value, str) and value.startswith(_STORED):
        path = await local_copy(ctx, value)
        file: BinaryIO = opened.enter_context(path.open("rb"))
        return name, (file_name or value.rpartition("/")[2], file)
    return name, (file_name, _form_text(value))


def _form_text(value: JsonValue) -> str:
    return value if isinstance(value, str) else to_json(value)


def _charset(properties: HttpProperties) -> str | None:
    """The charset that the content type names."""
    found = _CHARSET.search(properties.content_type)
    return None if found is None else found[1]


def _media_type(properties: HttpProperties) -> str:
    return properties.content_type.partition(";")[0].strip().lower()


def _log_request(
    ctx: RunContext, logged: frozenset[LoggedPart], request: httpx.Request, properties: HttpProperties
) -> None:
    if "REQUEST_HEADERS" in logged:
        ctx.logger.debug(f"Request: {request.method} {request.url}\n{_header_lines(request.headers)}")
    if "REQUEST_BODY" in logged and properties.body:
        ctx.logger.debug(f"Request body:\n{properties.body[:_LOGGED_CHARACTERS]}")


def log_body(ctx: RunContext, properties: HttpProperties, body: str) -> None:
    """Write the body of an answer to the log, if that is wanted."""
    if "RESPONSE_BODY" in properties.effective_options.logged():
        ctx.logger.debug(f"Response body:\n{body[:_LOGGED_CHARACTERS]}")


def _header_lines(headers: httpx.Headers) -> str:
    hidden = ("authorization", "proxy-authorization", "cookie", "set-cookie")
    return "\n".join(
        f"{name}: {'******' if name.lower() in hidden else value}" for name, value in headers.multi_items()
    )


async def _refusal(answer: httpx.Response) -> str:
    """What to say of an answer that is not accepted, with the beginning of its body."""
    content = bytearray()
    async for chunk in answer.aiter_bytes():
        content += chunk
        if len(content) >= _ERROR_BODY_BYTES:
            break
    text = bytes(content[:_ERROR_BODY_BYTES]).decode(answer.encoding or "utf-8", errors="replace")
    said = f" and body:\n{text}" if text else ""
    return f"Failed http request with response code '{answer.status_code}'{said}"
