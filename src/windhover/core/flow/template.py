"""``io.kestra.plugin.core.flow.Template``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.plugin.documentation import Example
from windhover.plugin.flowable import Body, FlowableContext, FlowableTask, Lane
from windhover.plugin.nesting import TaskList
from windhover.plugin.task import Output


class TemplateOutput(Output):
    """What a Template task gives to the tasks of the template, from its beginning."""

    args: Annotated[dict[str, JsonValue], Field(description="The rendered arguments.")]


class Template(FlowableTask):
    """Run the tasks of a template, as if they were written here. Use `Subflow` instead.

    The tasks read the arguments as `parent.outputs.args`. Their ids must differ from all others of the flow.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.Template"
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.Template",)
    deprecated: ClassVar[bool] = True
    output: ClassVar[type[Output] | None] = TemplateOutput
    includes_template: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Run the tasks that several flows begin with",
            code="""
namespace: company.team
templateId: prepare
args:
  day: "{{ inputs.day }}"
""",
        ),
    )

    namespace: Annotated[str, Field(description="The namespace of the template; no expression.")]
    template_id: Annotated[str, Field(description="The id of the template; no expression.")]
    tenant_id: Annotated[
        str | None, Field(description="Accepted; templates are those of the flow's tenant.")
    ] = None
    args: Annotated[
        dict[str, JsonValue] | None, Field(description="What the template's tasks read; rendered.")
    ] = None
    tasks: Annotated[
        TaskList, Field(description="Put in from the template when the flow is read; not to be written.")
    ] = ()

    def resolve(self, ctx: FlowableContext) -> JsonValue:
        if not self.tasks:
            raise ValueError(f"Can't find flow template '{self.namespace}.{self.template_id}'")
        return {"args": ctx.render(self.args or {})}

    def body(self, resolved: JsonValue) -> Body:
        return Body([Lane(self.tasks)])

    def outputs(self, resolved: JsonValue) -> dict[str, JsonValue]:
        return dict(resolved)
