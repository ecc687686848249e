"""The schema of a type is made from its class alone."""

import json
import re
from datetime import timedelta
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from windhover.model.flow import Flow
from windhover.model.log import LogLevel
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example, MetricDescription
from windhover.plugin.registry import Registry
from windhover.plugin.schema import flow_schema, schema_for
from windhover.plugin.task import Output, RunnableTask
from windhover.plugin.types import Duration, Level, Static


class Where(BaseModel):
    path: str


class DocumentedOutput(Output):
    size_in_bytes: Annotated[int, Field(description="How much.")]
    hint: str | None = None


class Documented(RunnableTask[DocumentedOutput]):
    """Do something.

    And more.
    """

    type_name = "test.Documented"
    aliases = ("test.Old",)
    deprecated = True
    examples = (Example(title="Simply", code="text: a"),)
    reported_metrics = (MetricDescription("size", "counter", "How much.", "bytes"),)

    text: Annotated[str, Field(description="What to say.")]
    level: Level = LogLevel.INFO
    wait_time: Duration = timedelta(minutes=1)
    where: Where | None = None
    fixed: Annotated[Static[int], Field(ge=1)] = 3
    former: Annotated[str | None, Field(deprecated=True)] = None

    def run(self, ctx: RunContext) -> DocumentedOutput:
        return DocumentedOutput(size_in_bytes=len(self.text))


@pytest.fixture(scope="module")
def registry() -> Registry:
    registry = Registry(discover=False)
    registry.register(Documented)
    return registry


@pytest.fixture(scope="module")
def schema(registry: Registry) -> dict[str, Any]:
    plugin = registry.find("test.Documented")
    assert plugin is not None
    return dict(schema_for(plugin))


def test_a_type_describes_itself(schema: dict[str, Any]) -> None:
    described = schema["properties"]

    assert described["title"] == "Documented"
    assert described["description"] == "Do something.\n\nAnd more."
    assert described["required"] == ["id", "type", "text"]
    assert described["additionalProperties"] is False
    assert described["$aliases"] == ["test.Old"]
    assert described["$deprecated"] is True
    assert described["$examples"] == [{"title": "Simply", "code": "text: a", "full": False}]
    assert described["$metrics"][0]["unit"] == "bytes"


def test_a_property_describes_itself(schema: dict[str, Any]) -> None:
    properties = schema["properties"]["properties"]

    assert properties["type"] == {"const": "test.Documented"}
    assert properties["text"] == {"type": "string", "description": "What to say.", "$dynamic": True}
    assert properties["fixed"] == {"type": "integer", "minimum": 1, "default": 3, "$dynamic": False}
    assert properties["level"]["default"] == "INFO"
    assert properties["waitTime"]["default"] == "PT1M"
    assert properties["former"]["$deprecated"] is True
    assert properties["timeout"]["$group"] == "core"
    assert schema["properties"]["definitions"]["Where"]["required"] == ["path"]


@pytest.mark.parametrize("name", ["level", "waitTime", "where"])
def test_an_expression_may_stand_for_a_dynamic_value(schema: dict[str, Any], name: str) -> None:
    choices = schema["properties"]["properties"][name]["anyOf"]

    assert any(re.search(choice["pattern"], "{{ x }}") for choice in choices if "pattern" in choice)


def test_outputs_are_described(schema: dict[str, Any]) -> None:
    assert schema["outputs"]["properties"]["sizeInBytes"] == {"description": "How much.", "type": "integer"}


def test_every_bundled_type_has_a_schema_and_a_description(registry: Registry) -> None:
    for plugin in registry.types():
        made = schema_for(plugin)
        assert made["properties"]["properties"]["type"] == {"const": plugin.type_name}
        assert made["properties"].get("description"), f"{plugin.type_name} has no docstring"
        json.dumps(made)


def test_the_schema_of_a_flow_holds_all_types_and_no_loose_end(registry: Registry) -> None:
    made = flow_schema(registry, Flow)

    text = json.dumps(made)
    assert set(re.findall(r'"#/definitions/([^"]+)"', text)) <= set(made["definitions"])
    assert made["properties"]["tasks"]["items"] == {"$ref": "#/definitions/Task"}
    tasks = [choice["$ref"].rpartition("/")[2] for choice in made["definitions"]["Task"]["anyOf"]]
    assert {"test.Documented", "io.kestra.plugin.core.flow.If"} <= set(tasks)
    conditions = made["definitions"]["io.kestra.plugin.core.condition.Not"]["properties"]["conditions"]
    assert conditions["items"] == {"$ref": "#/definitions/Condition"}
