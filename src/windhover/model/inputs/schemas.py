"""JSON Schemas of inputs. References are followed within the schema only: nothing is fetched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from windhover.model.execution import JsonValue

if TYPE_CHECKING:
    from jsonschema.protocols import Validator


def check_schema(schema: JsonValue) -> None:
    """Accept a JSON Schema of any draft.

    Raises:
        ValueError: it is none; the message says what is wrong with it.
    """
    from jsonschema.exceptions import SchemaError

    if not isinstance(schema, dict):
        raise ValueError("a JSON Schema is an object")
    try:
        _validator(schema).check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"{error.json_path}: {error.message}") from None
    except RecursionError:
        raise ValueError("the JSON Schema is nested too deeply") from None


def schema_violation(schema: JsonValue, value: JsonValue) -> str | None:
    """Where and how a value breaks a schema, None when it does not.

    Of several violations the one is told that says most about the value.
    """
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        error = best_match(_validator(schema).iter_errors(value))
    except Unresolvable as unresolvable:
        return f"the schema refers to `{unresolvable.ref}`, which it does not hold"
    except RecursionError:
        return "the schema refers to itself without end"
    except re.error as malformed:
        return f"a pattern of the schema is malformed: {malformed}"
    return None if error is None else f"{error.json_path}: {error.message}"


def _validator(schema: JsonValue) -> Validator:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.jsonschema import EMPTY_REGISTRY

    registry: Registry[JsonValue] = EMPTY_REGISTRY
    return validator_for(schema, default=Draft202012Validator)(schema, registry=registry)
