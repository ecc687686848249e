"""The OpenAPI document: paths from the routes, shapes of answers from the Structs that encode them."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from windhover.webserver.errors import ErrorJson

Responses = dict[int | str, dict[str, Any]]

_REF = "#/components/schemas/{name}"
#: Struct names end in ``Json`` to tell them from the records; the document does without.
_STRUCT_NAME = re.compile(r"(?<=[a-z])Json(?=[\"_])")

_documented: set[Any] = set()
_named: dict[str, Any] = {}


def answers(kind: Any, status: int = 200, description: str = "Successful") -> Responses:
    """Documents the JSON of an answer by the type that is encoded into it."""
    return {status: {"description": description, "content": {"application/json": {"schema": _schema(kind)}}}}


def answers_with(media_type: str, description: str, status: int = 200) -> Responses:
    """Documents an answer that is not JSON."""
    schema = {"type": "string"} if media_type.startswith("text/") else {"type": "string", "format": "binary"}
    return {status: {"description": description, "content": {media_type: {"schema": schema}}}}


def answers_nothing(status: int = 204, description: str = "Done") -> Responses:
    """Documents an answer without a body."""
    return {status: {"description": description}}


def takes(media_type: str, schema: Any, *, required: bool = True, description: str = "") -> dict[str, Any]:
    """Documents a body that the route reads itself; goes into ``openapi_extra``."""
    shown = schema if isinstance(schema, dict) else _schema(schema)
    body = {"required": required, "description": description, "content": {media_type: {"schema": shown}}}
    return {"requestBody": body}


def named_schema(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Documents a shape once, under a name; returns the reference to it."""
    _named[name] = schema
    return {"$ref": _REF.format(name=name)}


def query_parameter(name: str, description: str, kind: str = "string") -> dict[str, Any]:
    """Documents a parameter that the route reads itself; goes into ``parameters`` of ``openapi_extra``."""
    schema = {"type": "array", "items": {"type": "string"}} if kind == "array" else {"type": kind}
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def path_parameter(name: str, description: str) -> dict[str, Any]:
    """As :func:`query_parameter`, for a part of the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string"},
    }


def install_openapi(app: FastAPI) -> None:
    """Let ``app.openapi()`` describe every answer."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    _, components = msgspec.json.schema_components(_documented, ref_template=_REF)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(components)
    schemas.update(_named)
    # Parameters that are wrong are answered with 400 here, and not with the framework's 422.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            if "HTTPValidationError" in str(operation.get("responses", {}).get("422", "")):
                del operation["responses"]["422"]
            operation["responses"] |= _ERRORS
    text = msgspec.json.encode(document).decode()
    named: dict[str, Any] = msgspec.json.decode(_STRUCT_NAME.sub("", text))
    return named


def _schema(kind: Any) -> Any:
    _documented.add(kind)
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
    return schema


#: What any route may answer besides.
_ERRORS: Responses = {
    "4XX": answers(ErrorJson, description="Refused; the message says why")[200],
    "5XX": answers(ErrorJson, description="Failed; the message says how to go on")[200],
}
