"""JSON Schema of plugin types, for the editor, the documentation and the forms; made from their classes.

Beyond the standard vocabulary a property has ``$dynamic`` (it may be an expression), ``$group: core``
(all tasks or triggers have it) and ``$deprecated``; a type has ``$examples``, ``$metrics``, ``$aliases``
and ``$deprecated``.

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, TypedDict, get_args

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from windhover.model.task import Task
from windhover.model.trigger import Condition, Trigger
from windhover.plugin.executable import ExecutableTask
from windhover.plugin.flowable import FlowableTask
from windhover.plugin.kind import PluginKind
from windhover.plugin.registry import PluginType, Registry
from windhover.plugin.task import Output, RunnableTask
from windhover.plugin.templated import is_static
from windhover.plugin.trigger import TriggerType, WorkerTrigger

JsonSchema = dict[str, Any]

#: A nested plugin of any type, where the schema does not hold them all.
_ANY_PLUGIN: JsonSchema = {
    "type": "object",
    "properties": {"type": {"type": "string"}},
    "required": ["type"],
}

#: Where the schema of a flow keeps those of its parts.
_DEFINITIONS = "definitions"

#: Text that holds an expression, which may stand for a value of any type.
_EXPRESSION: JsonSchema = {"type": "string", "pattern": r"\{\{|\{%"}


class PluginSchema(TypedDict):
    """The schema of a type's properties, and of its outputs (None when it has none)."""

    properties: JsonSchema
    outputs: JsonSchema | None


def schema_for(plugin: PluginType) -> PluginSchema:
    """The JSON Schemas of one type."""
    output = output_class(plugin.cls)
    return {
        "properties": _properties_schema(plugin),
        "outputs": None if output is None else _model_schema(output, "serialization"),
    }


def output_class(cls: type[BaseModel]) -> type[Output] | None:
    """The class of the outputs that a task (or the variable ``trigger`` that a trigger) has."""
    if issubclass(cls, (TriggerType, FlowableTask, ExecutableTask)):
        return cls.output
    if not issubclass(cls, (RunnableTask, WorkerTrigger)):
        return None
    for base in cls.__mro__:
        metadata: Mapping[str, Any] = getattr(base, "__pydantic_generic_metadata__", {})
        for argument in metadata.get("args", ()):
            for candidate in (argument, *get_args(argument)):
                if isinstance(candidate, type) and issubclass(candidate, Output) and candidate is not Output:
                    return candidate
    return None


def flow_schema(registry: Registry, flow: type[BaseModel]) -> JsonSchema:
    """The schema of a whole flow: ``flow``'s own, with every task, trigger and condition type in its place.

    Imports every plugin; the result is for caching by whoever serves it.
    """
    plugins = [plugin for plugin in registry.types() if plugin.kind in _PLACES]
    definitions: JsonSchema = {}
    for plugin in plugins:
        definitions[plugin.type_name] = _properties_schema(plugin, definitions)
    schema = _model_schema(flow, "validation", definitions)
    for place in dict.fromkeys(_PLACES.values()):
        names = [plugin.type_name for plugin in plugins if _PLACES[plugin.kind] == place]
        definitions[place] = {"anyOf": [{"$ref": f"#/{_DEFINITIONS}/{name}"} for name in names]}
    schema["$schema"] = "http://json-schema.org/draft-07/schema#"
    schema[_DEFINITIONS] = definitions
    return schema


#: Under which name the schema of a flow keeps the choice among the types of a kind.
_PLACES: Mapping[PluginKind, str] = {
    PluginKind.RUNNABLE: "Task",
    PluginKind.FLOWABLE: "Task",
    PluginKind.EXECUTABLE: "Task",
    PluginKind.EXECUTION_UPDATE: "Task",
    PluginKind.TRIGGER: "Trigger",
    PluginKind.CONDITION: "Condition",
}


#: Stands in a schema being made for a reference to one of the places: pydantic knows of no such definition.
_PLACE = "$place"


class _SchemaWriter(GenerateJsonSchema):
    """Leaves a mark where a task, a trigger or a condition of any type is nested."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        for base in (Task, Trigger, Condition):
            if schema["cls"] is base:
                return {_PLACE: base.__name__}
        return super().model_schema(schema)

    def handle_invalid_for_json_schema(self, schema: CoreSchema, error_info: str) -> JsonSchemaValue:
        return {}  # one odd property must not cost the editor the schema of all types

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def _properties_schema(plugin: PluginType, shared: JsonSchema | None = None) -> JsonSchema:
    cls = plugin.cls
    schema = _model_schema(cls, "validation", shared)
    own: JsonSchema = schema.get("properties", {})
    _annotate(own, cls)
    common = _common_properties(plugin, shared)
    properties: JsonSchema = {
        "type": {"const": plugin.type_name},
        **{name: {**(own[name] if name in own else common[name]), "$group": "core"} for name in common},
        **{name: value for name, value in own.items() if name not in common},
    }
    properties["type"] = {"const": plugin.type_name}
    base = ["type"] if plugin.kind not in _PLACES or plugin.kind is PluginKind.CONDITION else ["id", "type"]
    required = [name for name in schema.get("required", ()) if name not in base]
    if issubclass(cls, FlowableTask) and _needs_tasks(cls):
        own["tasks"]["minItems"] = 1
        required = sorted({*required, "tasks"})
    result: JsonSchema = {
        **({_DEFINITIONS: schema[_DEFINITIONS]} if _DEFINITIONS in schema else {}),
        "type": "object",
        "title": plugin.type_name.rpartition(".")[2],
        **_described(cls),
        "properties": properties,
        "required": [*base, *required],
        "additionalProperties": False,
    }
    return result | _documented(plugin)


def _needs_tasks(cls: type[FlowableTask]) -> bool:
    """It makes no sense without tasks: its check says so, in words that authors know, and not the field."""
    field = cls.model_fields.get("tasks")
    return field is not None and not field.deprecated


def _described(cls: type[BaseModel]) -> JsonSchema:
    return {"description": inspect.cleandoc(cls.__doc__)} if cls.__doc__ else {}


def _documented(plugin: PluginType) -> JsonSchema:
    cls = plugin.cls
    described: JsonSchema = {}
    if aliases := getattr(cls, "aliases", ()):
        described["$aliases"] = list(aliases)
    if plugin.deprecated:
        described["$deprecated"] = True
    if examples := getattr(cls, "examples", ()):
        described["$examples"] = [
            {"title": example.title, "code": example.code, "full": example.full} for example in examples
        ]
    if metrics := getattr(cls, "reported_metrics", ()):
        described["$metrics"] = [
            {"name": each.name, "type": each.type, "description": each.description, "unit": each.unit}
            for each in metrics
        ]
    return described


def _common_properties(plugin: PluginType, shared: JsonSchema | None) -> JsonSchema:
    base = Task if plugin.kind.is_task else Trigger if plugin.kind is PluginKind.TRIGGER else None
    if base is None:
        return {}
    schema = _model_schema(_written_out(base), "validation", shared)
    properties: JsonSchema = schema["properties"]
    return properties


@cache
def _written_out(base: type[BaseModel]) -> type[BaseModel]:
    """The base class of all tasks or triggers as a class of its own, which is not taken for a nested one."""
    return create_model(f"{base.__name__}Properties", __base__=base)


def _model_schema(cls: type[BaseModel], mode: JsonSchemaMode, shared: JsonSchema | None = None) -> JsonSchema:
    """The schema of a class; what it refers to stands in ``shared`` when that is given, else in itself."""
    schema = cls.model_json_schema(
        by_alias=True,
        mode=mode,
        schema_generator=_SchemaWriter,
        ref_template=f"#/{_DEFINITIONS}/{{model}}",
    )
    nested: JsonSchema = {
        name: _ANY_PLUGIN if _PLACE in entry else _tidy(entry)
        for name, entry in schema.pop("$defs", {}).items()
    }
    tidy: JsonSchema = _tidy(schema)
    if shared is not None:
        shared.update(nested)
    elif nested:
        tidy[_DEFINITIONS] = nested
    return tidy


def _tidy(schema: Any) -> Any:
    """Name the places, and take away ``null`` where it only says that a property may be left out."""
    if isinstance(schema, list):
        return [_tidy(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    if _PLACE in schema:
        return {"$ref": f"#/{_DEFINITIONS}/{schema[_PLACE]}"}
    tidy = {key: _tidy(entry) for key, entry in schema.items()}
    choices = [choice for choice in tidy.get("anyOf", ()) if choice != {"type": "null"}]
    if "default" in tidy and tidy["default"] is None:
        del tidy["default"]
        if len(choices) == 1:
            del tidy["anyOf"]
            tidy = choices[0] | tidy
        elif choices:
            tidy["anyOf"] = choices
    return tidy


def _annotate(properties: JsonSchema, cls: type[BaseModel]) -> None:
    """Tell of each property whether it may be an expression, and let one stand for its value where it may."""
    renders = issubclass(cls, (RunnableTask, WorkerTrigger))
    for name, info in cls.model_fields.items():
        key = info.alias or name
        if key not in properties:
            continue
        schema = properties[key]
        takes_text = _takes_text(schema)
        dynamic = not is_static(info) and (renders or takes_text or _takes_map(schema))
        schema["$dynamic"] = dynamic
        if info.deprecated:
            schema["$deprecated"] = True
        if "default" in schema:
            schema["default"] = _json_default(info)
        if dynamic and renders and not takes_text:
            properties[key] = _or_expression(schema)


def _json_default(info: FieldInfo) -> Any:
    default = info.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, BaseModel):
        return default.model_dump(mode="json", by_alias=True, exclude_none=True)
    config = ConfigDict(arbitrary_types_allowed=True)
    adapter: TypeAdapter[Any] = TypeAdapter(info.rebuild_annotation(), config=config)
    return adapter.dump_python(default, mode="json", by_alias=True, exclude_none=True)


def _takes_text(schema: JsonSchema) -> bool:
    """Any text fits, and so any expression does."""
    choices: Iterable[JsonSchema] = schema.get("anyOf", [schema])
    return any(not _LIMITS & choice.keys() and choice.get("type", "string") == "string" for choice in choices)


def _takes_map(schema: JsonSchema) -> bool:
    choices: Iterable[JsonSchema] = schema.get("anyOf", [schema])
    return any(choice.get("type") == "object" for choice in choices)


#: What limits the values that a schema accepts.
_LIMITS = frozenset(
    {"enum", "const", "format", "pattern", "minLength", "maxLength", "$ref", "allOf", "oneOf"}
)


def _or_expression(schema: JsonSchema) -> JsonSchema:
    outer = ("title", "description", "default", "deprecated", "examples", "$dynamic", "$deprecated")
    about = {key: schema[key] for key in outer if key in schema}
    value = {key: entry for key, entry in schema.items() if key not in outer}
    choices = value["anyOf"] if set(value) == {"anyOf"} else [value]
    return {**about, "anyOf": [*choices, _EXPRESSION]}
