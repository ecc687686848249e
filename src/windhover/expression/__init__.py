"""The expression language: the Pebble dialect that flows are written with.

``compile_template`` reads a template once; the ``Template`` it gives renders to text or to a typed value with
a ``Scope`` of variables, and knows what it reads and calls. The whole language is described in
docs/expressions.md, which is generated from the registry of filters, functions and tests.
"""

from windhover.expression.analysis import NOT_CONSTANT, FunctionCall
from windhover.expression.errors import (
    EvaluationError,
    ExpressionError,
    LimitExceededError,
    TemplateSyntaxError,
    UndefinedError,
)
from windhover.expression.port import ServerPort
from windhover.expression.scope import DEFAULT_LIMITS, Limits, Scope
from windhover.expression.template import (
    Template,
    compile_template,
    has_expression,
    keep_templates,
    render_value,
    resolve_reads,
)
from windhover.expression.values import MASK, Secret, to_json, to_text, truthy

__all__ = [
    "DEFAULT_LIMITS",
    "MASK",
    "NOT_CONSTANT",
    "EvaluationError",
    "ExpressionError",
    "FunctionCall",
    "LimitExceededError",
    "Limits",
    "Scope",
    "Secret",
    "ServerPort",
    "Template",
    "TemplateSyntaxError",
    "UndefinedError",
    "compile_template",
    "has_expression",
    "keep_templates",
    "render_value",
    "resolve_reads",
    "to_json",
    "to_text",
    "truthy",
]
