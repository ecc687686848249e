"""Filters of numbers."""

from __future__ import annotations

import re
from decimal import Decimal

from windhover.expression.errors import EvaluationError
from windhover.expression.operators import negate
from windhover.expression.registry import Example, filter_
from windhover.expression.values import (
    INT_MAX,
    INT_MIN,
    LONG_MAX,
    LONG_MIN,
    JavaBigInteger,
    JavaFloat,
    JavaLong,
    is_number,
)
from windhover.expression.values import (
    class_name as java_class_name,
)

_HEXADECIMAL = re.compile(r"([+-]?)(?:0[xX]|#)([0-9a-fA-F]+)")
_OCTAL = re.compile(r"[+-]?0[0-7]+")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_MAX_DIGITS = 4000


@filter_("abs", "The absolute value of a number.", Example("{{ -7 | abs }}", "7"), null_passes=False)
def abs_(value: object) -> object:
    if not is_number(value):
        raise EvaluationError("The 'abs' filter expects a number.")
    return negate(value) if value < 0 else value


def _refuse(value: object, kind: str = "") -> EvaluationError:
    wanted = f" of type {kind}" if kind else ""
    return EvaluationError(f"{value} is not a valid number{wanted}.")


def _infer(text: str) -> object:
    suffix = text[-1:].lower()
    if suffix and suffix in "lfd" and not _HEXADECIMAL.fullmatch(text):
        return _convert(text[:-1], {"l": "LONG", "f": "FLOAT", "d": "DOUBLE"}[suffix])
    if _OCTAL.fullmatch(text):
        return _smallest_integer(int(text, 8))
    if hexadecimal := _HEXADECIMAL.fullmatch(text):
        return _smallest_integer(int(hexadecimal[1] + hexadecimal[2], 16))
    if _INTEGER.fullmatch(text):
        return _smallest_integer(int(text))
    if not _DECIMAL.fullmatch(text):
        raise _refuse(text)
    single, double, exact = JavaFloat(float(text)), float(text), Decimal(text)
    # The smallest type that keeps every digit that was written.
    significant = len(exact.normalize().as_tuple().digits)
    if significant <= 7 and abs(single) != float("inf") and (float(single) != 0 or exact == 0):
        return single
    if significant <= 16 and abs(double) != float("inf") and (double != 0 or exact == 0):
        return double
    return exact


def _smallest_integer(number: int) -> int:
    return number if LONG_MIN <= number <= LONG_MAX else JavaBigInteger(number)


def _integer(text: str, low: int, high: int, kind: str) -> int:
    if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
        raise _refuse(text, kind)
    return int(text)


def _convert(text: str, kind: str) -> object:
    if kind == "INT":
        return _integer(text, INT_MIN, INT_MAX, kind)
    if kind == "LONG":
        return JavaLong(_integer(text, LONG_MIN, LONG_MAX, kind))
    if kind == "BIGINTEGER":
        if not _INTEGER.fullmatch(text):
            raise _refuse(text, kind)
        return JavaBigInteger(text)
    if kind in ("FLOAT", "DOUBLE", "BIGDECIMAL"):
        if not _DECIMAL.fullmatch(text):
            raise _refuse(text, kind)
        if kind == "BIGDECIMAL":
            return Decimal(text)
        return JavaFloat(float(text)) if kind == "FLOAT" else float(text)
    raise EvaluationError(
        f"The 'number' filter does not know the type '{kind}': it is one of INT, FLOAT, LONG, DOUBLE, "
        "BIGDECIMAL and BIGINTEGER."
    )


@filter_(
    "number",
    "A text as a number: of the smallest type that can hold it, or of the type INT, LONG, FLOAT, DOUBLE, "
    "BIGDECIMAL or BIGINTEGER.",
    Example('{{ ("12" | number) + 1 }}', "13"),
    Example('{{ "12.3" | number | className }}', "java.lang.Float"),
)
def number(value: object, type_: object = None) -> object:
    if not isinstance(value, str):
        raise EvaluationError("'number' filter can only be applied to String.")
    if len(value) > _MAX_DIGITS:
        raise _refuse(value[:20] + "..")
    if type_ is None:
        return _infer(value)
    if not isinstance(type_, str):
        raise EvaluationError("The 'number' filter expects a text as argument 'type'.")
    return _convert(value, type_.upper())


@filter_(
    "className",
    "The Java class that stands for the type of a value.",
    Example("{{ 'a' | className }} {{ 1.5 | className }}", "java.lang.String java.lang.Double"),
)
def class_name(value: object) -> str:
    return java_class_name(value)


@filter_(
    "numberFormat",
    "A number in a pattern of Java's DecimalFormat, rounded half to even.",
    Example('{{ 3.141592653 | numberFormat("#.##") }}', "3.14"),
    Example('{{ 1234567.891 | numberFormat("#,##0.00") }}', "1,234,567.89"),
)
def number_format(value: object, format_: object = None) -> str:
    from windhover.expression.java_numbers import format_number

    if not is_number(value):
        raise EvaluationError("The 'numberFormat' filter expects a number.")
    if format_ is not None and not isinstance(format_, str):
        raise EvaluationError("The 'numberFormat' filter expects a text as argument 'format'.")
    return format_number(value, format_ or "#,##0.###")
