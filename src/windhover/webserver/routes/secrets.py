"""Stored secrets: listing, writing and deleting them. No answer holds a value.

Documentation page: ``docs/secrets.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request
from msgspec.structs import replace
from starlette.responses import Response

from windhover.model.secret import InvalidSecret, SecretEntry, SecretTag, check_description, stored_key
from windhover.repository.filters import TextMatch
from windhover.repository.secrets import SecretQuery, SecretRepository, SecretSort
from windhover.secret.stored import NoEncryptionKey, StoredSecrets
from windhover.util.namespaces import parents
from windhover.webserver.bodies import read_json
from windhover.webserver.errors import ApiError, ErrorDetail, bad_request, conflict, invalid_entity, not_found
from windhover.webserver.openapi import answers, answers_nothing, takes
from windhover.webserver.parameters import (
    Namespace,
    PageNumber,
    PageSize,
    Services,
    Sort,
    Tenant,
    paging,
    split_sort,
)
from windhover.webserver.query_filters import read_filters
from windhover.webserver.responses import JsonResponse
from windhover.webserver.search_fields import Asked, SearchField, SearchFields, free_text, text_field
from windhover.webserver.services import WebServices
from windhover.webserver.wire.dates import Instant, optional_instant

router = APIRouter(prefix="/api/v1/{tenant}", tags=["Secrets"])

#: The largest body that is taken: the longest value, escaped, and what is told of it.
MAX_BODY_BYTES = 1024 * 1024

SecretKey = Annotated[str, Path(description="The name of a secret, in any case of letters.")]

_SORTS = {
    "key": SecretSort.KEY,
    "namespace": SecretSort.NAMESPACE,
    "description": SecretSort.DESCRIPTION,
    "creationDate": SecretSort.CREATED,
    "updateDate": SecretSort.UPDATED,
}
_TEXT: SearchField[SecretQuery] = free_text("Text in the key or the description.")
_FIELDS: SearchFields[SecretQuery] = SearchFields(
    "SecretFilters",
    {"q": _TEXT, "query": _TEXT, "namespace": text_field("namespace", "The namespace.")},
)


class SecretMetaJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """All that is told of a secret. One of the environment has a key alone."""

    key: str
    tags: list[SecretTag]
    namespace: str | None = None
    description: str | None = None
    creation_date: Instant | None = None
    update_date: Instant | None = None


class SecretPageJson(msgspec.Struct, rename="camel"):
    """One page of secrets, and how many there are in all. ``readOnly``: none can be written here."""

    results: list[SecretMetaJson]
    total: int
    read_only: bool


class SecretValueJson(msgspec.Struct, omit_defaults=True):
    """A secret as it is written."""

    key: str
    value: str
    description: str | None = None
    tags: list[SecretTag] | None = None


class SecretChangeJson(msgspec.Struct, omit_defaults=True):
    """What is told of a secret from now on; what is left out stays."""

    key: str | None = None
    namespace: str | None = None
    description: str | msgspec.UnsetType | None = msgspec.UNSET
    tags: list[SecretTag] | msgspec.UnsetType = msgspec.UNSET
    #: Named only to be refused, and never looked at.
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


@router.get(
    "/secrets",
    responses=answers(SecretPageJson),
    operation_id="listSecrets",
    openapi_extra=_FIELDS.documented,
)
async def list_secrets(
    services: Services,
    tenant: Tenant,
    request: Request,
    page: PageNumber = 1,
    size: PageSize = 10,
    sort: Sort = None,
) -> Response:
    """The secrets of all namespaces, page by page; after them those of the environment."""
    query = _query(services, tenant, request, page, size, sort)
    return JsonResponse(
        await _page(services, query, () if query.namespace else _environment(services, query))
    )


@router.get(
    "/namespaces/{namespace}/secrets",
    responses=answers(SecretPageJson),
    operation_id="listNamespaceSecrets",
    openapi_extra=_FIELDS.documented,
)
async def list_namespace_secrets(
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    request: Request,
    page: PageNumber = 1,
    size: PageSize = 10,
    sort: Sort = None,
) -> Response:
    """The secrets that are stored in one namespace, page by page."""
    query = _query(services, tenant, request, page, size, sort)
    own = replace(query, namespace=(*query.namespace, TextMatch.equal(namespace)))
    return JsonResponse(await _page(services, own))


@router.get(
    "/namespaces/{namespace}/inherited-secrets",
    responses=answers(dict[str, list[str]]),
    operation_id="getInheritedSecrets",
)
async def inherited_secrets(services: Services, tenant: Tenant, namespace: Namespace) -> Response:
    """Every name that ``secret()`` finds in this namespace, once, by the namespace it comes from.

    Those of the environment belong to all namespaces, and so to the one that is asked for.
    """
    around = [namespace, *parents(namespace)]
    stored = await _store(services).keys(tenant, around)
    inherited: dict[str, list[str]] = {}
    seen: set[str] = set()
    for each in around:
        keys = [key for where, key in stored if where == each and key not in seen]
        seen.update(keys)
        if keys or each == namespace:
            inherited[each] = keys
    inherited[namespace] = sorted({*inherited[namespace], *(set(services.environment_secrets()) - seen)})
    return JsonResponse(inherited)


@router.put(
    "/namespaces/{namespace}/secrets",
    responses=answers(list[SecretMetaJson]),
    operation_id="putSecrets",
    openapi_extra=takes("application/json", SecretValueJson, description="The secret."),
)
async def put_secret(services: Services, tenant: Tenant, namespace: Namespace, request: Request) -> Response:
    """Write a secret, over one of the same name; answers with what is told of it."""
    body = await read_json(request, SecretValueJson, MAX_BODY_BYTES)
    store = _store(services)
    try:
        await StoredSecrets(store, tenant, services.cipher).put(
            namespace,
            body.key,
            body.value,
            services.clock(),
            description=body.description or None,
            tags=body.tags or (),
        )
    except InvalidSecret as error:
        raise _invalid(error) from None
    except NoEncryptionKey as error:
        raise conflict(str(error)) from None
    return await _told(store, tenant, namespace, stored_key(body.key))


@router.patch(
    "/namespaces/{namespace}/secrets/{key}",
    responses=answers(list[SecretMetaJson]),
    operation_id="patchSecret",
    openapi_extra=takes("application/json", SecretChangeJson, description="Description and tags."),
)
async def patch_secret(
    services: Services, tenant: Tenant, namespace: Namespace, key: SecretKey, request: Request
) -> Response:
    """Change what is told of a secret, and not its value."""
    body = await read_json(request, SecretChangeJson, MAX_BODY_BYTES)
    name = stored_key(key)
    if body.value is not msgspec.UNSET:
        raise invalid_entity("only description and tags can be changed; a value is written with PUT")
    if body.key is not None and stored_key(body.key) != name:
        raise invalid_entity("a secret cannot be renamed; write it anew and delete this one")
    if body.namespace is not None and body.namespace != namespace:
        raise invalid_entity("a secret cannot be moved to another namespace")
    description = body.description if body.description is msgspec.UNSET else body.description or None
    try:
        check_description(
            None if description is msgspec.UNSET else description,
            () if body.tags is msgspec.UNSET else body.tags,
        )
    except InvalidSecret as error:
        raise _invalid(error) from None
    store = _store(services)
    await store.describe(tenant, namespace, name, services.clock(), description=description, tags=body.tags)
    return await _told(store, tenant, namespace, name)


@router.delete(
    "/namespaces/{namespace}/secrets/{key}",
    responses=answers_nothing(200, "Deleted"),
    operation_id="deleteSecret",
)
async def delete_secret(services: Services, tenant: Tenant, namespace: Namespace, key: SecretKey) -> Response:
    """Delete a secret for good."""
    if not await _store(services).delete(tenant, namespace, stored_key(key)):
        raise _missing(namespace, stored_key(key))
    return Response(status_code=200)


def _store(services: WebServices) -> SecretRepository:
    return SecretRepository(services.database)


def _query(
    services: WebServices, tenant: str, request: Request, page: int, size: int, sort: list[str] | None
) -> SecretQuery:
    query = SecretQuery(tenant, paging=paging(page, size))
    if sort:
        key, descending = split_sort(sort[0])
        if key not in _SORTS:
            raise bad_request(f"Secrets cannot be sorted by `{key}`; they can by {', '.join(_SORTS)}.")
        query = replace(query, sort=_SORTS[key], descending=descending)
    return _FIELDS.narrow(query, read_filters(request.query_params), Asked.of(services))


async def _page(services: WebServices, query: SecretQuery, environment: Sequence[str] = ()) -> SecretPageJson:
    """The stored secrets of a page and, where they do not fill it, those of the environment."""
    stored = await _store(services).search(query)
    results = [_meta_json(entry) for entry in stored.results]
    begin = max(0, query.paging.offset - stored.total)
    end = max(0, query.paging.offset + query.paging.size - stored.total)
    results += [SecretMetaJson(name, []) for name in environment[begin:end]]
    return SecretPageJson(results, stored.total + len(environment), services.cipher is None)


def _environment(services: WebServices, query: SecretQuery) -> list[str]:
    wanted = (query.text or "").upper()
    return sorted(name for name in services.environment_secrets() if wanted in name)


async def _told(store: SecretRepository, tenant: str, namespace: str, key: str) -> Response:
    entry = await store.get(tenant, namespace, key)
    if entry is None:
        raise _missing(namespace, key)
    return JsonResponse([_meta_json(entry)])


def _meta_json(entry: SecretEntry) -> SecretMetaJson:
    return SecretMetaJson(
        entry.key,
        list(entry.tags),
        entry.namespace,
        entry.description,
        optional_instant(entry.created),
        optional_instant(entry.updated),
    )


def _missing(namespace: str, key: str) -> ApiError:
    return not_found(f"there is no secret '{key}' in namespace '{namespace}'")


def _invalid(error: InvalidSecret) -> ApiError:
    return invalid_entity(str(error), [ErrorDetail(message, path) for path, message in error.problems])
