"""``io.kestra.plugin.core.flow.ForEachItem``."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windhover.core.item_batches import MergeOutputs, SplitItems, StartBatches
from windhover.model.definition import Definition
from windhover.model.execution import JsonValue
from windhover.plugin.documentation import Example
from windhover.plugin.flowable import Body, FlowableTask, Lane
from windhover.plugin.task import BoundTask, TaskDefinition


class Batch(Definition):
    """How a file is split. The first that is given counts: `regexPattern`, `bytes`, `partitions`, `rows`."""

    rows: Annotated[int | str | None, Field(description="How many rows a batch has; 1 if it is less.")] = None
    partitions: Annotated[
        int | str | None, Field(description="How many batches there are; rows are dealt out to them in turn.")
    ] = None
    bytes: Annotated[
        int | str | None,
        Field(description="The size, such as `10 MB`, at which a batch is full; rows are not cut."),
    ] = None
    separator: Annotated[
        str, Field(description="What ends the rows of a batch. In the file, each line is a row.")
    ] = "\n"
    regex_pattern: Annotated[
        str | None,
        Field(description="Rows for which the first group is the same make a batch; others are left out."),
    ] = None


class ForEachItem(FlowableTask):
    """Start an execution of a flow for each batch of the rows of a file.

    In `inputs` and `labels`, `taskrun.items` is the URI of the batch and `taskrun.iteration` its index, from
    0. The outputs of the executions are merged into one file, a line each, in the order of the batches.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.ForEachItem"
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.ForEachItem",)
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Hand the rows of a file to another flow, a hundred at a time",
            code="""
id: orders
type: io.kestra.plugin.core.flow.ForEachItem
items: "{{ inputs.orders }}"
batch:
  rows: 100
namespace: company.team
flowId: process_orders
inputs:
  file: "{{ taskrun.items }}"
""",
        ),
    )

    items: Annotated[str, Field(min_length=1, description="The URI of a file in the internal storage.")]
    batch: Batch = Batch()
    namespace: Annotated[str, Field(min_length=1, description="Namespace of the flow.")]
    flow_id: Annotated[str, Field(min_length=1, description="Id of the flow.")]
    revision: Annotated[int | None, Field(ge=1)] = None
    inputs: Annotated[dict[str, JsonValue] | None, Field(description="Inputs by id.")] = None
    labels: Annotated[
        dict[str, JsonValue] | list[JsonValue] | None, Field(description="Labels of the executions.")
    ] = None
    wait: Annotated[bool, Field(description="End only when the executions have ended.")] = True
    transmit_failed: Annotated[
        bool, Field(description="End as the worst of the executions did; else end as SUCCESS.")
    ] = True
    inherit_labels: Annotated[bool, Field(description="Give them this execution's labels, too.")] = False
    schedule_date: Annotated[str | None, Field(description="Start them then and not now.")] = None
    restart_behavior: Literal["RETRY_FAILED", "NEW_EXECUTION"] = "RETRY_FAILED"

    def body(self, resolved: JsonValue) -> Body:
        return Body([self._lane])

    @cached_property
    def _lane(self) -> Lane:
        batch = {
            name: value for name, value in self.batch.model_dump(by_alias=True).items() if value is not None
        }
        start = {
            "namespace": self.namespace,
            "flowId": self.flow_id,
            "revision": self.revision,
            "inputs": self.inputs,
            "labels": self.labels,
            "wait": self.wait,
            "transmitFailed": self.transmit_failed,
            "inheritLabels": self.inherit_labels,
            "scheduleDate": self.schedule_date,
            "restartBehavior": self.restart_behavior,
        }
        return Lane(
            (
                self._part("split", SplitItems, {"items": self.items, **batch}),
                self._part("items", StartBatches, start),
                self._part("merge", MergeOutputs, {"wait": self.wait}),
            ),
            chained=True,
        )

    def _part(self, name: str, plugin: type[BoundTask], properties: dict[str, JsonValue]) -> TaskDefinition:
        return TaskDefinition(
            id=f"{self.id}_{name}",
            type=f"{self.type}${_TYPES[name]}",
            log_level=self.log_level,
            plugin=plugin,
            properties={name: value for name, value in properties.items() if value is not None},
        )


#: What the parts are called where an execution says what started it.
_TYPES = {"split": "ForEachItemSplit", "items": "ForEachItemExecutable", "merge": "ForEachItemMergeOutputs"}
