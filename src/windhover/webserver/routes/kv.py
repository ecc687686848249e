"""The key-value store: listing, reading, writing and deleting entries."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Path, Request
from msgspec.structs import replace
from starlette.responses import Response

from windhover.model.execution import JsonValue
from windhover.model.kv import InvalidKey, InvalidKvValue, KvEntry, check_key, read_kv_value
from windhover.repository.filters import TextMatch
from windhover.repository.kv import KvQuery, KvRepository, KvSort
from windhover.util.durations import parse_duration
from windhover.util.namespaces import parents
from windhover.webserver.bodies import read_json, read_text
from windhover.webserver.errors import bad_request, invalid_entity, not_found
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
from windhover.webserver.query_filters import Filter, read_filters, text_match
from windhover.webserver.responses import JsonResponse
from windhover.webserver.search_fields import TEXTS, Asked, SearchField, SearchFields, free_text, text_field
from windhover.webserver.services import WebServices
from windhover.webserver.wire.dates import Instant, instant, optional_instant

router = APIRouter(prefix="/api/v1/{tenant}", tags=["KV"])

#: The largest value that is taken, in bytes of JSON. What is larger belongs into a file.
MAX_VALUE_BYTES = 16 * 1024 * 1024

Key = Annotated[str, Path(description="A key.")]

_SORTS = {
    "key": KvSort.KEY,
    "namespace": KvSort.NAMESPACE,
    "description": KvSort.DESCRIPTION,
    "creationDate": KvSort.CREATED,
    "updateDate": KvSort.UPDATED,
    "created": KvSort.CREATED,
    "updated": KvSort.UPDATED,
    "expirationDate": KvSort.EXPIRES,
    "revision": KvSort.VERSION,
    "name": KvSort.KEY,
}


def _within(wanted: KvQuery, filter: Filter, asked: Asked) -> KvQuery:
    match = text_match(filter)
    trimmed = TextMatch(match.operator, tuple(value.strip() for value in match.values))
    return replace(wanted, namespace=(*wanted.namespace, trimmed))


_TEXT: SearchField[KvQuery] = free_text("Text in the key.")
_FIELDS: SearchFields[KvQuery] = SearchFields(
    "KvFilters",
    {
        "q": _TEXT,
        "query": _TEXT,
        "namespace": SearchField("The namespace.", TEXTS, _within),
        "key": text_field("key", "The key."),
    },
)


class KvEntryJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """An entry without its value. ``revision`` counts its versions from 1."""

    namespace: str
    key: str
    revision: int
    creation_date: Instant
    update_date: Instant
    description: str | None = None
    expiration_date: Instant | None = None


class KvPageJson(msgspec.Struct):
    """One page of entries, and how many there are in all."""

    results: list[KvEntryJson]
    total: int


class KvDetailJson(msgspec.Struct):
    """The value of an entry and its type. Dates, instants and durations are ISO 8601 text."""

    type: str
    value: JsonValue
    revision: int
    updated: Instant


class KeysJson(msgspec.Struct):
    """Keys of a namespace."""

    keys: list[str]


@router.get(
    "/kv",
    responses=answers(KvPageJson),
    operation_id="listAllKeys",
    openapi_extra=_FIELDS.documented,
)
async def list_all_keys(
    services: Services,
    tenant: Tenant,
    request: Request,
    page: PageNumber = 1,
    size: PageSize = 10,
    sort: Sort = None,
) -> Response:
    """The entries of all namespaces, page by page."""
    query = _sorted(KvQuery(tenant, services.clock(), paging=paging(page, size)), sort)
    query = _FIELDS.narrow(query, read_filters(request.query_params), Asked.of(services))
    found = await _store(services).search(query)
    return JsonResponse(KvPageJson([_entry_json(entry) for entry in found.results], found.total))


@router.get("/kv/", include_in_schema=False)
async def list_all_keys_with_slash(
    services: Services,
    tenant: Tenant,
    request: Request,
    page: PageNumber = 1,
    size: PageSize = 10,
    sort: Sort = None,
) -> Response:
    """As ``/kv``."""
    return await list_all_keys(services, tenant, request, page, size, sort)


@router.get("/namespaces/{namespace}/kv", responses=answers(list[KvEntryJson]), operation_id="listKeys")
async def list_keys(services: Services, tenant: Tenant, namespace: Namespace) -> Response:
    """The entries of one namespace."""
    found = await _store(services).entries(tenant, namespace, services.clock())
    return JsonResponse([_entry_json(entry) for entry in found])


@router.get(
    "/namespaces/{namespace}/kv/inheritance",
    responses=answers(list[KvEntryJson]),
    operation_id="listKeysWithInheritence",
)
async def list_inherited_keys(services: Services, tenant: Tenant, namespace: Namespace) -> Response:
    """The entries of the namespaces around one, as its flows see them: the nearest counts."""
    store, now = _store(services), services.clock()
    seen: dict[str, KvEntry] = {}
    for parent in parents(namespace):
        for entry in await store.entries(tenant, parent, now):
            seen.setdefault(entry.key, entry)
    return JsonResponse([_entry_json(seen[key]) for key in sorted(seen)])


@router.delete(
    "/namespaces/{namespace}/kv",
    responses=answers(KeysJson),
    operation_id="deleteKeyValues",
    openapi_extra=takes("application/json", KeysJson, description="The keys to delete."),
)
async def delete_keys(services: Services, tenant: Tenant, namespace: Namespace, request: Request) -> Response:
    """Delete several entries; answers with those that were there."""
    wanted = await read_json(request, KeysJson)
    store = _store(services)
    deleted = [key for key in wanted.keys if await store.delete(tenant, namespace, key, services.clock())]
    return JsonResponse(KeysJson(deleted))


@router.get("/namespaces/{namespace}/kv/{key}", responses=answers(KvDetailJson), operation_id="getKeyValue")
async def get_key(services: Services, tenant: Tenant, namespace: Namespace, key: Key) -> Response:
    """The value of an entry."""
    entry = await _store(services).get(tenant, [namespace], key, services.clock())
    if entry is None:
        raise not_found(f"No value found for key '{key}' in namespace '{namespace}'")
    content = entry.content
    return JsonResponse(
        KvDetailJson(content.type.value, content.value, entry.version, instant(entry.updated))
    )


@router.put(
    "/namespaces/{namespace}/kv/{key}",
    responses=answers_nothing(200, "Written"),
    operation_id="setKeyValue",
    openapi_extra=takes(
        "text/plain", {"type": "string"}, description="JSON, a date or an instant; other text is a string."
    ),
)
async def set_key(
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    key: Key,
    request: Request,
    ttl: Annotated[str | None, Header(description="ISO 8601; after it the entry counts as missing.")] = None,
    description: Annotated[str | None, Header(description="What the entry is for.")] = None,
) -> Response:
    """Create an entry or write its next version."""
    text = await read_text(request, MAX_VALUE_BYTES, "The value")
    now = services.clock()
    try:
        check_key(key)
        content = read_kv_value(text)
    except (InvalidKey, InvalidKvValue) as error:
        raise invalid_entity(str(error)) from None
    try:
        expires = now + parse_duration(ttl) if ttl else None
    except (ValueError, OverflowError) as error:
        raise bad_request(f"The header `ttl`: {error}") from None
    await _store(services).put(
        tenant, namespace, key, content, now, description=description or None, expires=expires
    )
    return Response(status_code=200)


@router.delete("/namespaces/{namespace}/kv/{key}", responses=answers(bool), operation_id="deleteKeyValue")
async def delete_key(services: Services, tenant: Tenant, namespace: Namespace, key: Key) -> Response:
    """Delete an entry; answers whether there was one."""
    return JsonResponse(await _store(services).delete(tenant, namespace, key, services.clock()))


def _store(services: WebServices) -> KvRepository:
    return KvRepository(services.database)


def _sorted(query: KvQuery, sort: list[str] | None) -> KvQuery:
    if not sort:
        return query
    key, descending = split_sort(sort[0])
    if key not in _SORTS:
        raise bad_request(f"Entries cannot be sorted by `{key}`; they can by {', '.join(_SORTS)}.")
    return replace(query, sort=_SORTS[key], descending=descending)


def _entry_json(entry: KvEntry) -> KvEntryJson:
    return KvEntryJson(
        entry.namespace,
        entry.key,
        entry.version,
        instant(entry.created),
        instant(entry.updated),
        entry.description,
        optional_instant(entry.expires),
    )
