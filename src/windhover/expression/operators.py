"""Operators on values, with Java's arithmetic: 64-bit integers that wrap, division that truncates."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Set
from decimal import ROUND_HALF_EVEN, Context, Decimal

from windhover.expression.errors import EvaluationError, LimitExceededError
from windhover.expression.values import (
    LONG_MAX,
    LONG_MIN,
    JavaFloat,
    class_name,
    equals,
    is_integer,
    is_list,
    is_map,
    is_number,
    to_string,
)

_MAX_BITS = 1 << 16
_MAX_RANGE = 1_000_000
_DECIMAL128 = Context(prec=34, rounding=ROUND_HALF_EVEN)
_WIDE = Context(prec=2_000, rounding=ROUND_HALF_EVEN)
"""Exact for any two doubles, and still a bound."""


def _integer(result: int, *operands: int) -> int:
    """Wraps a result at 64 bits, unless an operand was larger than that already."""
    if LONG_MIN <= result <= LONG_MAX:
        return result
    if all(LONG_MIN <= operand <= LONG_MAX for operand in operands):
        return (result - LONG_MIN) % (1 << 64) + LONG_MIN
    if result.bit_length() > _MAX_BITS:
        raise LimitExceededError("An integer has grown too large")
    return result


def _refuse(operation: str, left: object, right: object) -> EvaluationError:
    def name(value: object) -> str:
        return "null" if value is None else class_name(value).rpartition(".")[2]

    return EvaluationError(f"Could not perform {operation} on {name(left)} and {name(right)}")


def _arithmetic(
    operation: str,
    left: object,
    right: object,
    doubles: Callable[[float, float], float],
    decimals: Callable[[Decimal, Decimal], Decimal],
) -> float | Decimal:
    """A result between two numbers that are not both integers: between decimals if one of them is."""
    if not (is_number(left) and is_number(right)):
        raise _refuse(operation, left, right)
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return decimals(_decimal(operation, left), _decimal(operation, right))
    if isinstance(left, JavaFloat) != isinstance(right, JavaFloat) and not (
        is_integer(left) or is_integer(right)
    ):
        return doubles(float(left), float(right))
    return doubles(_double(left), _double(right))


def _double(number: float) -> float:
    # A single-precision number counts as what it prints as: 12.3, not 12.300000190734863.
    return float(to_string(number)) if isinstance(number, JavaFloat) else float(number)


def _decimal(operation: str, number: float | Decimal) -> Decimal:
    """A number in the digits its double prints as, or in all it has where a double is too coarse for it."""
    try:
        double = float(number) if isinstance(number, Decimal) else _double(number)
    except OverflowError:
        double = math.inf
    if not math.isfinite(double):
        raise EvaluationError(f"Could not perform {operation}: a number is out of the range of a double")
    printed = Decimal(to_string(double))
    return number if isinstance(number, Decimal) and printed != number else printed


def add(left: object, right: object) -> object:
    """``+``: sums numbers, appends to a list on the left, joins as soon as one side is a text."""
    if left.__class__ is int and right.__class__ is int:
        result: int = left + right
        return result if LONG_MIN <= result <= LONG_MAX else _integer(result, left, right)
    if isinstance(left, str) or isinstance(right, str):
        return to_string(left) + to_string(right)
    if is_list(left):
        return [*left, *right] if is_list(right) else [*left, right]
    if is_integer(left) and is_integer(right):
        return _integer(left + right, left, right)
    return _arithmetic("addition", left, right, operator.add, _WIDE.add)


def subtract(left: object, right: object) -> object:
    """``-``: subtracts numbers, removes elements from a list on the left."""
    if is_integer(left) and is_integer(right):
        return _integer(left - right, left, right)
    if is_list(left):
        unwanted = right if is_list(right) else [right]
        return [item for item in left if not any(equals(item, other) for other in unwanted)]
    return _arithmetic("subtraction", left, right, operator.sub, _WIDE.subtract)


def multiply(left: object, right: object) -> object:
    if is_integer(left) and is_integer(right):
        return _integer(left * right, left, right)
    return _arithmetic("multiplication", left, right, operator.mul, _WIDE.multiply)


def divide(left: object, right: object) -> object:
    """``/``: truncates towards zero between integers."""
    if is_integer(left) and is_integer(right):
        if right == 0:
            raise EvaluationError("Could not perform division: / by zero")
        quotient = abs(left) // abs(right)
        return _integer(quotient if (left < 0) == (right < 0) else -quotient, left, right)
    return _arithmetic("division", left, right, _divide_doubles, _divide_decimals)


def _divide_doubles(first: float, second: float) -> float:
    try:
        return first / second
    except ZeroDivisionError:
        if first == 0 or first != first:
            return math.nan
        return math.inf if (first > 0) == (math.copysign(1, second) > 0) else -math.inf


def _divide_decimals(first: Decimal, second: Decimal) -> Decimal:
    if second == 0:
        raise EvaluationError("Could not perform division: / by zero")
    return _DECIMAL128.divide(first, second)


def modulo(left: object, right: object) -> object:
    """``%``: the remainder has the sign of the dividend."""
    if is_integer(left) and is_integer(right):
        if right == 0:
            raise EvaluationError("Could not perform modulus: / by zero")
        remainder = abs(left) % abs(right)
        return -remainder if left < 0 else remainder
    return _arithmetic("modulus", left, right, _doubles_rest, _decimals_rest)


def _doubles_rest(first: float, second: float) -> float:
    return math.nan if second == 0 or math.isinf(first) else math.fmod(first, second)


def _decimals_rest(first: Decimal, second: Decimal) -> Decimal:
    if second == 0:
        raise EvaluationError("Could not perform modulus: / by zero")
    return _WIDE.remainder(first, second)


def negate(value: object) -> object:
    """Unary ``-``."""
    if is_integer(value):
        return _integer(-value, value)
    if is_number(value):
        return -value
    raise EvaluationError(f"Could not negate {to_string(value)}: it is not a number")


def affirm(value: object) -> object:
    """Unary ``+``."""
    if is_number(value):
        return value
    raise EvaluationError(f"Unary + needs a number, not {to_string(value)}")


_COMPARISONS = {
    "<": "less than comparison",
    ">": "greater than comparison",
    "<=": "less than or equals comparison",
    ">=": "greater than or equals comparison",
}


def compare(symbol: str, left: object, right: object) -> bool:
    """``<``, ``>``, ``<=`` or ``>=`` between two numbers or two texts."""
    if (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str)):
        if symbol == "<":
            return left < right  # type: ignore[operator]
        if symbol == ">":
            return left > right  # type: ignore[operator]
        if symbol == "<=":
            return left <= right  # type: ignore[operator]
        return left >= right  # type: ignore[operator]
    if left is None or right is None:
        return False
    raise _refuse(_COMPARISONS[symbol], left, right)


def less(left: object, right: object) -> bool:
    return compare("<", left, right)


def greater(left: object, right: object) -> bool:
    return compare(">", left, right)


def at_most(left: object, right: object) -> bool:
    return compare("<=", left, right)


def at_least(left: object, right: object) -> bool:
    return compare(">=", left, right)


def differs(left: object, right: object) -> bool:
    return not equals(left, right)


def contains(left: object, right: object) -> bool:
    """``contains``: an element of a list, a key of a map, a part of a text; all of a list in a list."""
    if left is None:
        return False
    if isinstance(left, str):
        return isinstance(right, str) and right in left
    if is_map(left):
        return _has_key(left, right)
    if is_list(left) or isinstance(left, Set):
        if is_list(right):
            return all(any(equals(item, wanted) for item in left) for wanted in right)
        return any(equals(item, right) for item in left)
    raise EvaluationError("Contains operator can only be used on Collections, Maps and arrays.")


def _has_key(value: object, key: object) -> bool:
    try:
        return key in value  # type: ignore[operator]
    except TypeError:
        return False


def is_in(left: object, right: object) -> bool:
    """``isIn``: whether the text of a value is that of an element, or of a key or value of a map.

    Nothing is in what is neither.
    """
    if left is None or right is None or isinstance(right, str):
        return False
    text = to_string(left)
    if is_map(right):
        return any(to_string(key) == text or to_string(value) == text for key, value in right.items())
    if is_list(right) or isinstance(right, Set):
        return any(to_string(item) == text for item in right)
    return False


def value_range(start: object, end: object, step: object = 1) -> list[object]:
    """``start..end``: numbers or letters from start to end, both included."""
    if not is_integer(step) or step == 0:
        raise EvaluationError("The step of a range must be an integer other than 0")
    if isinstance(start, str) and isinstance(end, str) and len(start) == len(end) == 1:
        return [chr(code) for code in _bounded_range(ord(start), ord(end), step)]
    if is_number(start) and is_number(end):
        return list(_bounded_range(int(start), int(end), step))
    raise EvaluationError("A range needs two integers or two letters")


def _bounded_range(start: int, end: int, step: int) -> range:
    numbers = range(start, end + (1 if step > 0 else -1), step)
    if end - start > _MAX_RANGE * abs(step) or start - end > _MAX_RANGE * abs(step):
        raise LimitExceededError(f"A range has more than {_MAX_RANGE} elements")
    return numbers


def as_condition(value: object) -> bool:
    """The truth of a value in ``if``, ``and``, ``or``, ``not``: only booleans, texts and numbers have one."""
    if value is True or value is False:
        return value
    if isinstance(value, str):
        return value != ""
    if is_number(value):
        return value != 0
    kind = "null" if value is None else class_name(value)
    raise EvaluationError(
        f"Wrong operand(s) type in conditional expression: expected a boolean, a text or a number, got {kind}"
    )
