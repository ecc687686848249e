"""``windhover eval``: render one template, without any server."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from windhover.expression import (
    ExpressionError,
    Scope,
    TemplateSyntaxError,
    UndefinedError,
    compile_template,
    to_json,
)


@dataclass(frozen=True, slots=True)
class EvalOptions:
    """What to render: ``-`` as template is the standard input. ``variables`` is a file of JSON."""

    template: str
    variables: Path | None = None
    typed: bool = False
    recursive: bool = False


class _Unusable(Exception):
    """There is nothing to render, or nothing to render it with."""


def evaluate_template(options: EvalOptions) -> int:
    """Print what a template renders to and return 0; or why it cannot be rendered, and return 1.

    The code 2 says that the template or its variables could not be read.
    """
    try:
        template, variables = _template(options), _variables(options.variables)
    except _Unusable as error:
        print(error, file=sys.stderr)
        return 2
    scope = Scope(variables, recursive=options.recursive)
    try:
        compiled = compile_template(template)
        shown = to_json(compiled.evaluate(scope)) if options.typed else compiled.render(scope)
    except ExpressionError as error:
        print(_explained(error, template), file=sys.stderr)
        return 1
    print(shown)
    return 0


def _template(options: EvalOptions) -> str:
    if options.template != "-":
        return options.template
    try:
        # The line break that ends the last line belongs to the shell, not to the template.
        return sys.stdin.buffer.read().decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise _Unusable(
            f"The standard input is no UTF-8 text: byte {error.start} cannot be decoded."
        ) from None


def _variables(file: Path | None) -> dict[str, object]:
    if file is None:
        return {}
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise _Unusable(f"{file} cannot be read: {error}") from None
    try:
        values = json.loads(text)
    except ValueError as error:
        raise _Unusable(f"{file} holds no JSON: {error}") from None
    if not isinstance(values, dict):
        raise _Unusable(f"{file} must hold a JSON object: the variables by name.")
    return values


def _explained(error: ExpressionError, template: str) -> str:
    """The place, what is wrong, the line of the template with the place marked, and a hint."""
    message = error.reason if isinstance(error, TemplateSyntaxError) else str(error)
    if error.line is None:
        return message
    lines = [f"line {error.line}, column {error.column or 1}: {message}"]
    written = template.split("\n")
    if error.line <= len(written):
        lines.append(f"  {written[error.line - 1]}")
        lines.append(f"  {' ' * ((error.column or 1) - 1)}^")
    if isinstance(error, UndefinedError) and error.suggestion is None:
        lines.append("Names that may be missing are written `name ?? 'other'`.")
    return "\n".join(lines)
