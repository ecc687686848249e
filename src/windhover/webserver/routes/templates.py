"""Templates: lists of tasks that flows take in."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from windhover.model.problem import FlowInvalid
from windhover.repository.templates import TemplateRecord
from windhover.webserver.bodies import read_json, read_text
from windhover.webserver.errors import ErrorDetail, detail_of, invalid_entity, not_found
from windhover.webserver.execution_bulk import CountJson
from windhover.webserver.flow_sources import documents
from windhover.webserver.openapi import answers, answers_nothing, takes
from windhover.webserver.parameters import Namespace, PageNumber, PageSize, Services, Tenant, paging
from windhover.webserver.responses import JsonResponse, no_content
from windhover.webserver.services import WebServices
from windhover.webserver.wire.flows import ValidationJson
from windhover.webserver.wire.namespaces import (
    TemplateIdJson,
    TemplateJson,
    TemplatePageJson,
    template_json,
)

router = APIRouter(prefix="/api/v1/{tenant}/templates", tags=["Templates"])

TemplateId = Annotated[str, Path(alias="id", description="The id of a template.")]

_YAML = takes("application/x-yaml", {"type": "string"}, description="The YAML of the template, or its JSON.")
#: Documents of one text are checked one after the other, so their number is bounded through their size.
_SOURCES_AT_ONCE = 50


@router.post("", responses=answers(TemplateJson), operation_id="createTemplate", openapi_extra=_YAML)
async def create_template(request: Request, services: Services, tenant: Tenant) -> Response:
    """Create a template; 422 when it is invalid or exists already."""
    source = await _source(request, services)
    namespace, template_id = await _check(services, source)
    if services.definitions.templates.get(namespace, template_id) is not None:
        problem = "template.id: Template id already exists"
        raise invalid_entity(problem, [ErrorDetail("Template id already exists", "template.id")])
    return await _save(services, source)


@router.post(
    "/validate",
    responses=answers(list[ValidationJson]),
    operation_id="validateTemplates",
    openapi_extra=_YAML,
)
async def validate_templates(request: Request, services: Services, tenant: Tenant) -> Response:
    """Check templates without saving them: one result for each document of the YAML."""
    text = await _source(request, services, _SOURCES_AT_ONCE)
    results = []
    for index, source in enumerate(documents(text)):
        try:
            parsed = await asyncio.to_thread(services.definitions.parse_template, source)
        except FlowInvalid as error:
            results.append(_result(index, error.namespace, error.flow_id, error))
        else:
            results.append(_result(index, parsed.flow.namespace, parsed.flow.id))
    return JsonResponse(results)


@router.get("/search", responses=answers(TemplatePageJson), operation_id="searchTemplates")
async def search_templates(
    services: Services,
    tenant: Tenant,
    page: PageNumber = 1,
    size: PageSize = 10,
    q: Annotated[str | None, Query(description="Text in the id or the namespace.")] = None,
    namespace: Annotated[str | None, Query(description="A namespace, with those below it.")] = None,
) -> Response:
    """Search templates, by namespace and id."""
    found = [
        record
        for record in services.definitions.templates.all()
        if (not q or q.lower() in f"{record.namespace}.{record.id}".lower())
        and (not namespace or f"{record.namespace}.".startswith(f"{namespace}."))
    ]
    window = paging(page, size)
    shown = found[window.offset : window.offset + window.size]
    return JsonResponse(TemplatePageJson([template_json(record) for record in shown], len(found)))


@router.get(
    "/distinct-namespaces", responses=answers(list[str]), operation_id="listTemplatesDistinctNamespaces"
)
async def list_distinct_namespaces(services: Services, tenant: Tenant) -> Response:
    """The namespaces that hold templates."""
    records = services.definitions.templates.all()
    return JsonResponse(list(dict.fromkeys(record.namespace for record in records)))


@router.delete(
    "/delete/by-ids",
    responses=answers(CountJson),
    operation_id="deleteTemplatesByIds",
    openapi_extra=takes("application/json", list[TemplateIdJson]),
)
async def delete_by_ids(request: Request, services: Services, tenant: Tenant) -> Response:
    """Delete templates by their ids."""
    ids = await read_json(request, list[TemplateIdJson])
    deleted = [await services.definitions.templates.delete(one.namespace, one.id) for one in ids]
    services.definitions.forget()
    return JsonResponse(CountJson(sum(deleted)))


@router.get("/{namespace}/{id}", responses=answers(TemplateJson), operation_id="getTemplate")
async def get_template(services: Services, tenant: Tenant, namespace: Namespace, id: TemplateId) -> Response:
    """One template."""
    return JsonResponse(template_json(_find(services, namespace, id)))


@router.put(
    "/{namespace}/{id}", responses=answers(TemplateJson), operation_id="updateTemplate", openapi_extra=_YAML
)
async def update_template(
    request: Request, services: Services, tenant: Tenant, namespace: Namespace, id: TemplateId
) -> Response:
    """Change a template. Executions that start from now on run it as it is then."""
    source = await _source(request, services)
    _find(services, namespace, id)
    if await _check(services, source) != (namespace, id):
        raise invalid_entity("template.id: Illegal template id update")
    return await _save(services, source)


@router.delete(
    "/{namespace}/{id}", status_code=204, responses=answers_nothing(), operation_id="deleteTemplate"
)
async def delete_template(
    services: Services, tenant: Tenant, namespace: Namespace, id: TemplateId
) -> Response:
    """Delete a template. Flows that take it in fail at that task from now on."""
    _find(services, namespace, id)
    await services.definitions.templates.delete(namespace, id)
    services.definitions.forget()
    return no_content()


async def _save(services: WebServices, source: str) -> Response:
    record = await services.definitions.templates.put(source, services.clock())
    services.definitions.forget()
    return JsonResponse(template_json(record))


async def _check(services: WebServices, source: str) -> tuple[str, str]:
    parsed = await asyncio.to_thread(services.definitions.parse_template, source)
    return parsed.flow.namespace, parsed.flow.id


def _find(services: WebServices, namespace: str, template_id: str) -> TemplateRecord:
    record = services.definitions.templates.get(namespace, template_id)
    if record is None:
        raise not_found(f"Template '{namespace}.{template_id}' not found")
    return record


def _result(
    index: int, namespace: str | None, id: str | None, invalid: FlowInvalid | None = None
) -> ValidationJson:
    return ValidationJson(
        index=index,
        outdated=False,
        deprecation_paths=[],
        warnings=[],
        infos=[],
        flow=id,
        namespace=namespace,
        constraints=invalid.constraints if invalid else None,
        errors=list(map(detail_of, invalid.problems)) if invalid else [],
    )


async def _source(request: Request, services: WebServices, documents: int = 1) -> str:
    limit = services.settings.limits.max_flow_source * documents
    return await read_text(request, limit, "The source of the template")
