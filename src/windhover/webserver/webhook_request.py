"""What a request to a webhook brings, as the variable ``trigger`` of the execution that it starts.

Documentation page: ``docs/webhooks.md``.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qs

import msgspec
from starlette.requests import Request

from windhover.core.trigger.webhook import FetchType, Webhook
from windhover.engine.spill import STORED_TYPE, StoredValue, holds_stored_values
from windhover.model.execution import JsonValue
from windhover.model.flow import Flow
from windhover.storage import StorageLimitError, input_uri
from windhover.webserver.errors import bad_request, too_large
from windhover.webserver.multipart import MultipartReader
from windhover.webserver.services import WebServices
from windhover.webserver.uploads import Upload
from windhover.webserver.webhook_signature import SignatureCheck

_FORM = "multipart/form-data"
_URL_ENCODED = "application/x-www-form-urlencoded"
#: All fields of a form that are no files, together, in bytes.
_MAX_FIELD_BYTES = 16 * 1024 * 1024
_STORED_INPUT = "trigger"


@dataclass(slots=True)
class WebhookRequest:
    """The variables that a request becomes, the files stored for them, and how large its body is."""

    variables: dict[str, JsonValue]
    upload: Upload
    size: int = 0


class WebhookReader:
    """Reads one request. What it has stored by the time something fails is in ``read.upload``."""

    def __init__(
        self,
        services: WebServices,
        request: Request,
        flow: Flow,
        trigger: Webhook,
        execution_id: str,
        signature: SignatureCheck | None,
    ) -> None:
        self._services = services
        self._request = request
        self._flow = flow
        self._trigger = trigger
        self._execution_id = execution_id
        self._signature = signature
        self.read = WebhookRequest(
            {"body": None, "headers": _headers(request), "parameters": parse_qs(request.url.query, True)},
            Upload.for_new_execution(services, flow, execution_id),
        )

    async def read_all(self) -> WebhookRequest:
        """Read the request to its end.

        Raises:
            ApiError: 413, it is too large; 400, it is no form that can be read.
        """
        content_type = self._request.headers.get("content-type", "")
        kind = content_type.partition(";")[0].strip().lower()
        if self._trigger.fetch_type is FetchType.NONE:
            async for _ in self._chunks(self._services.settings.server.max_request_size):
                pass
        elif kind == _FORM:
            await self._read_form(content_type)
        elif self._trigger.fetch_type is FetchType.STORE:
            await self._store_body(kind)
        else:
            await self._read_body(kind)
        return self.read

    async def _chunks(self, limit: int) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._request.stream():
            size += len(chunk)
            self.read.size = size
            if size > limit:
                raise too_large(f"The body is larger than the limit of {limit} bytes.")
            if self._signature is not None:
                self._signature.feed(chunk)
            if chunk:
                yield chunk

    # ---------------------------------------------------------------- a body that is read

    async def _read_body(self, kind: str) -> None:
        limit = self._services.settings.limits.webhook_body
        body = b"".join([chunk async for chunk in self._chunks(limit)])
        variables = self.read.variables
        if kind == _URL_ENCODED:
            variables["formFields"] = parse_qs(body.decode("utf-8", "replace"), True)
        if len(body) <= self._services.settings.limits.inline_inputs:
            value = _value(body)
            if holds_stored_values(value):
                raise bad_request(
                    f"A map with the type `{STORED_TYPE}` stands for a value that is stored here."
                )
            variables["body"] = value
            return
        # Written out again with each step of the execution, it would cost its size each time.
        encoded = await asyncio.to_thread(_as_json, body)
        uri = self._uri("body.json")
        await self.read.upload.put(uri, encoded)
        variables["body"] = StoredValue(uri, len(encoded)).marker()

    # ---------------------------------------------------------------- a body that is stored

    async def _store_body(self, kind: str) -> None:
        uri = self._uri("body.json" if kind == "application/json" else "body")
        limit = self._services.settings.server.max_upload_size
        stored = await self.read.upload.put(uri, self._chunks(limit))
        if stored.size:
            self.read.variables["uri"] = uri

    async def _read_form(self, content_type: str) -> None:
        fields: dict[str, JsonValue] = {}
        parts: list[JsonValue] = []
        remaining = _MAX_FIELD_BYTES
        limit = self._services.settings.server.max_request_size
        async for part in MultipartReader(content_type, self._chunks(limit)).parts():
            if part.filename is None:
                text = await part.text(remaining)
                remaining -= len(text)
                fields.setdefault(part.name, []).append(text)
                continue
            uri = self._uri(f"{len(parts)}-{part.filename}")
            upload_limit = self._services.settings.server.max_upload_size
            try:
                stored = await self.read.upload.put(uri, part, size_limit=upload_limit)
            except StorageLimitError:
                raise too_large(f"The file `{part.name}` is larger than {upload_limit} bytes.") from None
            parts.append(
                {
                    "name": part.name,
                    "filename": part.filename,
                    "contentType": part.content_type,
                    "size": stored.size,
                    "uri": uri,
                }
            )
        self.read.variables["parts"] = parts
        self.read.variables["formFields"] = fields

    def _uri(self, name: str) -> str:
        return input_uri(self._flow.namespace, self._flow.id, self._execution_id, _STORED_INPUT, name)


def _headers(request: Request) -> dict[str, JsonValue]:
    """Headers by names such as ``Content-Type``, each with all its values."""
    found: dict[str, JsonValue] = {}
    for name, value in request.headers.items():
        found.setdefault("-".join(part.capitalize() for part in name.split("-")), []).append(value)
    return found


def _value(body: bytes) -> JsonValue:
    """A JSON object or list, else text, else the bytes in base64; None when there is nothing."""
    if not body:
        return None
    if body.lstrip()[:1] in (b"{", b"["):
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    try:
        return body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode()


def _as_json(body: bytes) -> bytes:
    """The same, as JSON; what is JSON already is checked and kept as it is."""
    if body.lstrip()[:1] in (b"{", b"["):
        try:
            return bytes(msgspec.json.decode(body, type=msgspec.Raw))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return msgspec.json.encode(_value(body))
