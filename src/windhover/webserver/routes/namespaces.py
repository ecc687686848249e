"""Namespaces: which there are, and what is declared for their flows."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from windhover.model.execution import JsonValue
from windhover.model.namespace import NamespaceRecord
from windhover.repository.filters import TextMatch
from windhover.repository.flows import FlowQuery
from windhover.util.namespaces import parents
from windhover.webserver.bodies import MAX_JSON_BYTES, read_body, read_json
from windhover.webserver.errors import ErrorDetail, bad_request, invalid_entity, not_found
from windhover.webserver.openapi import answers, answers_nothing, takes
from windhover.webserver.parameters import PageNumber, PageSize, Services, Sort, Tenant, paging, split_sort
from windhover.webserver.query_filters import read_filters
from windhover.webserver.responses import JsonResponse, no_content
from windhover.webserver.routes.flows import all_flows, announce
from windhover.webserver.search_fields import Asked, SearchField, SearchFields, free_text
from windhover.webserver.services import WebServices
from windhover.webserver.wire.namespaces import (
    AutocompleteJson,
    NamespaceJson,
    NamespacePageJson,
    PluginDefaultJson,
    namespace_json,
    plugin_default_json,
)

router = APIRouter(prefix="/api/v1/{tenant}/namespaces", tags=["Namespaces"])

NamespaceId = Annotated[str, Path(alias="id", description="A namespace, such as `company.team`.")]

_BODY = takes("application/json", NamespaceJson)


class _Search(msgspec.Struct, frozen=True):
    text: str | None


_TEXT: SearchField[_Search] = free_text("Text in the name.")
_FIELDS: SearchFields[_Search] = SearchFields("NamespaceFilters", {"q": _TEXT, "query": _TEXT})


@router.post("", responses=answers(NamespaceJson), operation_id="createNamespace", openapi_extra=_BODY)
async def create_namespace(request: Request, services: Services, tenant: Tenant) -> Response:
    """Describe a namespace; 422 when somebody has already."""
    record = await _read_record(request, None)
    if services.definitions.namespaces.get(record.id) is not None:
        raise invalid_entity(
            "namespace.id: Namespace id already exists",
            [ErrorDetail("Namespace id already exists", "namespace.id")],
        )
    return await _save(services, tenant, record)


@router.get(
    "/search",
    responses=answers(NamespacePageJson),
    operation_id="searchNamespaces",
    openapi_extra=_FIELDS.documented,
)
async def search_namespaces(
    request: Request,
    services: Services,
    tenant: Tenant,
    page: PageNumber = 1,
    size: PageSize = 10,
    sort: Sort = None,
    q: Annotated[str | None, Query(description="Text in the name.")] = None,
    existing: Annotated[bool, Query(description="Only those that somebody has described.")] = False,
) -> Response:
    """The namespaces: those of flows, those around them, and those that are described."""
    wanted = _FIELDS.narrow(_Search(q), read_filters(request.query_params), Asked.of(services))
    names = await _names(services, tenant, wanted.text, existing_only=existing)
    if sort:
        key, descending = split_sort(sort[0])
        if key != "id":
            raise bad_request(f"Namespaces cannot be sorted by `{key}`; they can by id.")
        names.sort(reverse=descending)
    window = paging(page, size)
    shown = names[window.offset : window.offset + window.size]
    found = [namespace_json(name, services.definitions.namespaces.get(name)) for name in shown]
    return JsonResponse(NamespacePageJson(found, len(names)))


@router.post(
    "/autocomplete",
    responses=answers(list[str]),
    operation_id="autocompleteNamespaces",
    openapi_extra=takes("application/json", AutocompleteJson),
)
async def autocomplete_namespaces(request: Request, services: Services, tenant: Tenant) -> Response:
    """The names of namespaces, for a form."""
    asked = await read_json(request, AutocompleteJson)
    names = await _names(services, tenant, asked.q, existing_only=asked.existing_only)
    return JsonResponse(list(dict.fromkeys([*(asked.ids or ()), *names])))


@router.get("/{id}", responses=answers(NamespaceJson), operation_id="getNamespace")
async def get_namespace(services: Services, tenant: Tenant, id: NamespaceId) -> Response:
    """One namespace; 404 when nothing is known of it."""
    record = services.definitions.namespaces.get(id)
    if record is None and id not in await _names(services, tenant, None, existing_only=False):
        raise not_found(f"Namespace '{id}' not found")
    return JsonResponse(namespace_json(id, record))


@router.put("/{id}", responses=answers(NamespaceJson), operation_id="updateNamespace", openapi_extra=_BODY)
async def update_namespace(request: Request, services: Services, tenant: Tenant, id: NamespaceId) -> Response:
    """Describe a namespace, whatever was said of it before."""
    return await _save(services, tenant, await _read_record(request, id))


@router.delete("/{id}", status_code=204, responses=answers_nothing(), operation_id="deleteNamespace")
async def delete_namespace(services: Services, tenant: Tenant, id: NamespaceId) -> Response:
    """Forget what is declared for a namespace. Its flows stay."""
    if not await services.definitions.namespaces.delete(id):
        raise not_found(f"Namespace '{id}' not found")
    await _read_flows_anew(services, tenant, id)
    return no_content()


@router.get(
    "/{id}/inherited-variables", responses=answers(dict[str, JsonValue]), operation_id="inheritedVariables"
)
async def inherited_variables(services: Services, tenant: Tenant, id: NamespaceId) -> Response:
    """The variables that flows of a namespace have from the namespaces around it."""
    outer = next(iter(parents(id)), "")
    return JsonResponse(services.definitions.namespaces.variables(outer))


@router.get(
    "/{id}/inherited-plugindefaults",
    responses=answers(list[PluginDefaultJson]),
    operation_id="inheritedPluginDefaults",
)
async def inherited_plugin_defaults(services: Services, tenant: Tenant, id: NamespaceId) -> Response:
    """The plugin defaults of the namespaces around a namespace, from the inside out."""
    outer = next(iter(parents(id)), "")
    levels = services.definitions.namespaces.plugin_defaults(outer)
    return JsonResponse([plugin_default_json(entry) for level in levels for entry in level])


async def _read_record(request: Request, id: str | None) -> NamespaceRecord:
    """The record of a body; members that are null or empty say nothing."""
    body = await read_body(request, MAX_JSON_BYTES)
    try:
        values = msgspec.json.decode(body, type=dict[str, JsonValue])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"The JSON body cannot be read: {error}") from None
    values.pop("deleted", None)
    values = {name: value for name, value in values.items() if value not in (None, [], {})}
    if id is not None and values.setdefault("id", id) != id:
        raise invalid_entity("namespace.id: Illegal namespace id update")
    try:
        return NamespaceRecord.model_validate(values)
    except ValidationError as error:
        details = [
            ErrorDetail(found["msg"], ".".join(map(str, ("namespace", *found["loc"]))))
            for found in error.errors()
        ]
        summary = ", ".join(f"{detail.path}: {detail.message}" for detail in details)
        raise invalid_entity(summary, details) from None


async def _save(services: WebServices, tenant: str, record: NamespaceRecord) -> Response:
    await services.definitions.namespaces.put(record, services.clock())
    await _read_flows_anew(services, tenant, record.id)
    return JsonResponse(namespace_json(record.id, record))


async def _read_flows_anew(services: WebServices, tenant: str, namespace: str) -> None:
    """Let everybody read the flows of a namespace, and of those below it, with what is declared now."""
    services.definitions.forget()
    async for record in all_flows(services, FlowQuery(tenant, namespace=(TextMatch.prefix(namespace),))):
        announce(services, tenant, record.namespace, record.id, record.revision)


async def _names(services: WebServices, tenant: str, text: str | None, *, existing_only: bool) -> list[str]:
    known = set(services.definitions.namespaces.ids())
    if not existing_only:
        known |= {
            name
            for namespace in (*await services.flows.namespaces(tenant), *known)
            for name in (namespace, *parents(namespace))
        }
    return sorted(name for name in known if not text or text.lower() in name.lower())
