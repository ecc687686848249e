"""The `preconditions` of a Flow trigger: executions that must have happened within a window of time."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from windhover.core.requirement import definition_digest
from windhover.core.time_window import TimeWindow
from windhover.expression import truthy
from windhover.expression.errors import EvaluationError
from windhover.expression.java_regex import compile_java, search
from windhover.model.definition import Definition, NonEmptyText, PluginId, Text, scalar_as_text
from windhover.model.execution import JsonValue
from windhover.model.state import StateType
from windhover.plugin.condition import ConditionContext
from windhover.plugin.gathering import AfterFiring, Gathering

_REGEX_SECONDS = 1.0


class UpstreamFlow(Definition):
    """A flow (or all of a namespace) whose executions are waited for."""

    namespace: Text
    flow_id: Text | None = None
    states: tuple[StateType, ...] | None = None
    labels: dict[str, JsonValue] | None = None

    def is_met(self, context: ConditionContext) -> bool:
        """Whether an execution is one that is waited for."""
        execution = context.execution
        assert execution is not None, "a Flow trigger reacts to executions"
        if execution.namespace != self.namespace or self.flow_id not in (None, execution.flow_id):
            return False
        if self.states and execution.state.current not in self.states:
            return False
        wanted = {key: str(scalar_as_text(value)) for key, value in (self.labels or {}).items()}
        return wanted.items() <= {label.key: label.value for label in execution.labels}.items()


class FilterField(StrEnum):
    """What a filter looks at."""

    FLOW_ID = "FLOW_ID"
    NAMESPACE = "NAMESPACE"
    STATE = "STATE"
    EXPRESSION = "EXPRESSION"


class FilterType(StrEnum):
    """How a filter compares."""

    EQUAL_TO = "EQUAL_TO"
    NOT_EQUAL_TO = "NOT_EQUAL_TO"
    IN = "IN"
    NOT_IN = "NOT_IN"
    IS_TRUE = "IS_TRUE"
    IS_FALSE = "IS_FALSE"
    IS_NULL = "IS_NULL"
    IS_NOT_NULL = "IS_NOT_NULL"
    STARTS_WITH = "STARTS_WITH"
    ENDS_WITH = "ENDS_WITH"
    REGEX = "REGEX"
    CONTAINS = "CONTAINS"


class Filter(Definition):
    """One comparison: with `values` for `IN` and `NOT_IN`, with `value` for all others."""

    field: FilterField
    type: FilterType
    value: Text | None = None
    values: tuple[Text, ...] | None = None

    @model_validator(mode="after")
    def _check_operands(self) -> Self:
        several = self.type in (FilterType.IN, FilterType.NOT_IN)
        needed, other = ("values", "value") if several else ("value", "values")
        if getattr(self, needed) is None:
            raise ValueError(f"`{needed}` cannot be null for type {self.type}")
        if getattr(self, other) is not None:
            raise ValueError(f"`{other}` must be null for type {self.type}")
        if self.type is FilterType.REGEX:
            try:
                compile_java(self.value or "")
            except EvaluationError as error:
                raise ValueError(str(error)) from None
        return self

    def passes(self, context: ConditionContext) -> bool:
        """Whether the execution passes.

        Raises:
            windhover.expression.ExpressionError: the expression cannot be rendered.
        """
        subject = self._subject(context)
        text = "" if subject is None else str(subject)
        value = self.value or ""
        match self.type:
            case FilterType.EQUAL_TO:
                return text == value
            case FilterType.NOT_EQUAL_TO:
                return text != value
            case FilterType.IN:
                return text in (self.values or ())
            case FilterType.NOT_IN:
                return text not in (self.values or ())
            case FilterType.IS_TRUE:
                return truthy(subject)
            case FilterType.IS_FALSE:
                return not truthy(subject)
            case FilterType.IS_NULL:
                return text == ""
            case FilterType.IS_NOT_NULL:
                return text != ""
            case FilterType.STARTS_WITH:
                return text.startswith(value)
            case FilterType.ENDS_WITH:
                return text.endswith(value)
            case FilterType.CONTAINS:
                return value in text
            case FilterType.REGEX:
                # Time-boxed: it runs where all executions are moved on.
                return search(f"^(?:{value})$", text, _REGEX_SECONDS) is not None

    def _subject(self, context: ConditionContext) -> JsonValue:
        execution = context.execution
        assert execution is not None, "a Flow trigger reacts to executions"
        match self.field:
            case FilterField.FLOW_ID:
                return execution.flow_id
            case FilterField.NAMESPACE:
                return execution.namespace
            case FilterField.STATE:
                return execution.state.current.value
            case FilterField.EXPRESSION:
                return context.renderer.evaluate(self.value)


class Operand(StrEnum):
    """How filters are taken together."""

    AND = "AND"
    OR = "OR"


class ExecutionFilter(Definition):
    """Comparisons that an execution must pass: all, or any."""

    id: NonEmptyText
    operand: Operand = Operand.AND
    filters: Annotated[tuple[Filter, ...], Field(min_length=1)]

    def is_met(self, context: ConditionContext) -> bool:
        """Whether an execution passes the filters.

        Raises:
            windhover.expression.ExpressionError: an expression cannot be rendered.
        """
        passes = (filter_.passes(context) for filter_ in self.filters)
        return all(passes) if self.operand is Operand.AND else any(passes)


class Preconditions(Definition):
    """Executions that must have happened within a window of time, before the trigger fires."""

    id: PluginId
    time_window: TimeWindow = TimeWindow()
    reset_on_success: bool = True
    flows: tuple[UpstreamFlow, ...] | None = None
    where: tuple[ExecutionFilter, ...] | None = None

    def gathering(self) -> Gathering:
        """All that must have happened."""
        requirements = {definition_digest(flow): flow.is_met for flow in self.flows or ()}
        requirements.update({definition_digest(filters): filters.is_met for filters in self.where or ()})
        return Gathering(
            id=self.id,
            requirements=requirements,
            needed=len(requirements),
            window_at=self.time_window.open_or_next,
            after_firing=AfterFiring.RESET if self.reset_on_success else AfterFiring.GO_ON,
        )
