"""The plugin types of this server: lists, schemas and documentation, all from their classes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, get_args

import msgspec
from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from windhover import __version__
from windhover.model.flow import Flow
from windhover.model.inputs import InputBase
from windhover.plugin.kind import PluginKind
from windhover.plugin.registry import PluginType, Registry
from windhover.plugin.schema import flow_schema, schema_for
from windhover.webserver.errors import not_found
from windhover.webserver.openapi import answers
from windhover.webserver.parameters import PageNumber, Services, paging
from windhover.webserver.responses import JsonResponse
from windhover.webserver.services import WebServices

router = APIRouter(prefix="/api/v1/plugins", tags=["Plugins"])

TypeName = Annotated[str, Path(alias="cls", description="The name of a type, or one of its aliases.")]

#: In which list of its group a type is shown.
_LISTS: Mapping[PluginKind, str] = {
    PluginKind.RUNNABLE: "tasks",
    PluginKind.FLOWABLE: "tasks",
    PluginKind.EXECUTABLE: "tasks",
    PluginKind.EXECUTION_UPDATE: "tasks",
    PluginKind.TRIGGER: "triggers",
    PluginKind.CONDITION: "conditions",
    PluginKind.TASK_RUNNER: "taskRunners",
    PluginKind.SECRET_MANAGER: "secrets",
    PluginKind.STORAGE: "storages",
    PluginKind.LOG_EXPORTER: "logExporters",
    PluginKind.CHART: "charts",
    PluginKind.DATA_FILTER: "dataFilters",
    PluginKind.APP_BLOCK: "appBlocks",
    PluginKind.ASSET: "assets",
}


class PluginElementJson(msgspec.Struct, omit_defaults=True):
    """One type; ``title`` is the first sentence of its documentation."""

    cls: str
    deprecated: bool
    title: str | None = None


class PluginGroupJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """The types of one group, by what they are."""

    name: str
    title: str
    group: str
    version: str
    tasks: list[PluginElementJson] = []
    triggers: list[PluginElementJson] = []
    conditions: list[PluginElementJson] = []
    task_runners: list[PluginElementJson] = []
    secrets: list[PluginElementJson] = []
    storages: list[PluginElementJson] = []
    log_exporters: list[PluginElementJson] = []
    charts: list[PluginElementJson] = []
    data_filters: list[PluginElementJson] = []
    app_blocks: list[PluginElementJson] = []
    assets: list[PluginElementJson] = []


class PluginPageJson(msgspec.Struct):
    """One page of groups, and how many there are in all."""

    results: list[PluginGroupJson]
    total: int


class SchemasJson(msgspec.Struct, omit_defaults=True):
    """JSON Schemas of the properties of a type and of its outputs."""

    properties: dict[str, Any]
    outputs: dict[str, Any] | None = None


class DocumentationJson(msgspec.Struct):
    """The documentation of a type as Markdown, and its schemas."""

    markdown: str
    schema: SchemasJson


class InputTypeJson(msgspec.Struct):
    """A type of inputs and the name under which its schema is found."""

    type: str
    cls: str


@router.get("", responses=answers(PluginPageJson), operation_id="listPlugins")
async def list_plugins(
    services: Services, page: PageNumber = 1, size: Annotated[int, Query(ge=1)] = 10_000
) -> Response:
    """All plugin types by group."""
    groups = await asyncio.to_thread(_groups, services.definitions.registry)
    offset = paging(page, size).offset
    return JsonResponse(PluginPageJson(groups[offset : offset + size], len(groups)))


@router.get(
    "/groups/subgroups", responses=answers(list[PluginGroupJson]), operation_id="getPluginBySubgroups"
)
async def list_groups(services: Services) -> Response:
    """The groups of plugin types."""
    return JsonResponse(await asyncio.to_thread(_groups, services.definitions.registry))


@router.get("/inputs", responses=answers(list[InputTypeJson]), operation_id="getAllInputTypes")
async def list_input_types() -> Response:
    """The types that an input can be of."""
    return JsonResponse([InputTypeJson(name, cls.__name__) for name, cls in input_classes().items()])


@router.get("/inputs/{type}", responses=answers(DocumentationJson), operation_id="getSchemaFromInputType")
async def input_documentation(
    type_: Annotated[str, Path(alias="type", description="A type of inputs, such as `STRING`.")],
) -> Response:
    """The documentation of a type of inputs."""
    cls = input_classes().get(type_.upper())
    if cls is None:
        raise not_found(f"there is no type of inputs '{type_}'")
    text = (cls.__doc__ or "").strip()
    return JsonResponse(
        DocumentationJson(f"# {type_.upper()}\n\n{text}\n", SchemasJson(cls.model_json_schema()))
    )


@router.get("/schemas/{type}", responses=answers(dict[str, Any]), operation_id="getSchemasFromType")
async def schema_of(
    services: Services,
    type_: Annotated[str, Path(alias="type", description="`flow`, `task` or `trigger`.")],
    array_of: Annotated[bool, Query(alias="arrayOf", description="The schema of a list of them.")] = False,
) -> Response:
    """The JSON Schema of a flow, of any task or of any trigger, for editors."""
    schema = await asyncio.to_thread(_flow_schema, services.definitions.registry)
    place = {"flow": None, "task": "Task", "trigger": "Trigger"}.get(type_.lower(), "")
    if place == "":
        raise not_found(f"there is no schema of '{type_}'; there are those of flow, task and trigger")
    if place is not None:
        schema = {
            "$schema": schema["$schema"],
            "$ref": f"#/definitions/{place}",
            "definitions": schema["definitions"],
        }
    if array_of:
        definitions = schema["definitions"]
        items = {name: value for name, value in schema.items() if name not in ("$schema", "definitions")}
        schema = {"$schema": schema["$schema"], "type": "array", "items": items, "definitions": definitions}
    return JsonResponse(schema)


@router.get("/{cls}", responses=answers(DocumentationJson), operation_id="getPluginDocumentation")
async def plugin_documentation(services: Services, type_name: TypeName) -> Response:
    """The documentation and the schemas of one type."""
    plugin = await _find(services, type_name)
    schemas = await asyncio.to_thread(schema_for, plugin)
    schema = SchemasJson(schemas["properties"], schemas["outputs"])
    return JsonResponse(DocumentationJson(_markdown(plugin), schema))


@router.get("/{cls}/versions", responses=answers(dict[str, Any]), operation_id="getPluginVersions")
async def plugin_versions(services: Services, type_name: TypeName) -> Response:
    """The versions of a type: there is one, that of the server."""
    plugin = await _find(services, type_name)
    return JsonResponse({"type": plugin.type_name, "versions": [__version__]})


@cache
def input_classes() -> Mapping[str, type[InputBase]]:
    """The classes of inputs by the name of their type, older names too."""
    found: dict[str, type[InputBase]] = {}
    waiting: list[type[InputBase]] = [InputBase]
    while waiting:
        cls = waiting.pop()
        waiting.extend(cls.__subclasses__())
        field = cls.model_fields.get("type")
        for name in get_args(field.annotation) if field is not None else ():
            found[name] = cls
    return dict(sorted(found.items()))


async def _find(services: WebServices, type_name: str) -> PluginType:
    plugin = await asyncio.to_thread(services.definitions.registry.find, type_name)
    if plugin is None:
        hint = await asyncio.to_thread(services.definitions.registry.suggest, type_name)
        meant = f"; did you mean '{hint}'?" if hint else ""
        raise not_found(f"there is no plugin type '{type_name}'{meant}")
    return plugin


@cache
def _groups(registry: Registry) -> list[PluginGroupJson]:
    groups: dict[str, dict[str, list[PluginElementJson]]] = {}
    for plugin in registry.types():
        group = plugin.type_name.rpartition(".")[0]
        element = PluginElementJson(plugin.type_name, plugin.deprecated, _title(plugin))
        groups.setdefault(group, {}).setdefault(_LISTS[plugin.kind], []).append(element)
    return [_group(name, lists) for name, lists in sorted(groups.items())]


def _group(name: str, lists: Mapping[str, list[PluginElementJson]]) -> PluginGroupJson:
    short = name.rpartition(".")[2]
    facts = {"name": name, "title": short.capitalize(), "group": name, "version": __version__}
    return msgspec.convert({**facts, **lists}, PluginGroupJson)


@cache
def _flow_schema(registry: Registry) -> dict[str, Any]:
    return flow_schema(registry, Flow)


def _title(plugin: PluginType) -> str | None:
    text = (plugin.cls.__doc__ or "").strip()
    return text.split("\n\n")[0].replace("\n", " ") or None


def _markdown(plugin: PluginType) -> str:
    """The page of a type: its name, what it says of itself, and its examples."""
    text = "\n".join(line.strip() for line in (plugin.cls.__doc__ or "").strip().splitlines())
    parts = [f"# {plugin.type_name.rpartition('.')[2]}", f"`{plugin.type_name}`", text]
    for example in getattr(plugin.cls, "examples", ()):
        parts.append(f"**{example.title or 'Example'}**")
        parts.append(f"```yaml\n{example.code.strip()}\n```")
    return "\n\n".join(part for part in parts if part) + "\n"
