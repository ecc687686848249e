"""Numbers in the patterns of Java's DecimalFormat."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache

from windhover.expression.errors import EvaluationError

_EXACT = Context(prec=2000, rounding=ROUND_HALF_EVEN)
_MAX_DIGITS = 340


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A parsed pattern; digit counts are of the part they are named for."""

    prefix: str
    suffix: str
    negative_prefix: str
    negative_suffix: str
    min_integer: int
    max_integer: int
    min_fraction: int
    max_fraction: int
    grouping: int
    scale: int
    min_exponent: int | None
    point_always: bool


def format_number(number: float | Decimal, pattern: str) -> str:
    """A number in a DecimalFormat pattern, with English symbols, rounded half to even.

    Raises EvaluationError for a malformed pattern.
    """
    parsed = _parse(pattern)
    if isinstance(number, float):
        if number != number:
            return "NaN"
        if number in (float("inf"), float("-inf")):
            return (
                parsed.prefix + "∞" + parsed.suffix
                if number > 0
                else (parsed.negative_prefix + "∞" + parsed.negative_suffix)
            )
    exact = Decimal(number)
    if exact.is_zero() or abs(exact.adjusted()) < _MAX_DIGITS:
        exact = _EXACT.scaleb(exact, parsed.scale)
    digits = (
        _scientific(exact.copy_abs(), parsed)
        if parsed.min_exponent is not None
        else _plain(exact.copy_abs(), parsed)
    )
    negative = exact.is_signed() and (isinstance(number, float) or any(c in "123456789" for c in digits))
    if negative:
        return parsed.negative_prefix + digits + parsed.negative_suffix
    return parsed.prefix + digits + parsed.suffix


def _plain(number: Decimal, pattern: _Pattern) -> str:
    rounded = number.quantize(Decimal(1).scaleb(-pattern.max_fraction), context=_EXACT)
    whole, _, fraction = format(rounded, "f").partition(".")
    whole = whole.lstrip("0")
    fraction = fraction.rstrip("0").ljust(pattern.min_fraction, "0")
    whole = whole.rjust(pattern.min_integer, "0")
    if not whole and not fraction:
        whole = "0"
    if pattern.grouping:
        whole = _grouped(whole, pattern.grouping)
    point = "." if fraction or pattern.point_always else ""
    return whole + point + fraction


def _grouped(whole: str, size: int) -> str:
    head = len(whole) % size
    groups = [whole[:head]] if head else []
    groups += [whole[start : start + size] for start in range(head, len(whole), size)]
    return ",".join(groups)


def _scientific(number: Decimal, pattern: _Pattern) -> str:
    exponent = 0 if number.is_zero() else number.adjusted()
    whole_digits = max(pattern.min_integer, 1)
    if pattern.max_integer > pattern.min_integer and pattern.max_integer > 1:
        # More optional digits than required ones: the exponent is a multiple of their number.
        exponent = exponent // pattern.max_integer * pattern.max_integer
    else:
        exponent -= whole_digits - 1
    significant = max(pattern.max_integer, 1) + pattern.max_fraction
    if not number.is_zero():
        lowest = number.adjusted() - significant + 1
        number = number.quantize(Decimal(1).scaleb(lowest), context=_EXACT)
    mantissa = format(number.scaleb(-exponent, context=_EXACT), "f")
    whole, _, fraction = mantissa.partition(".")
    fraction = fraction.rstrip("0").ljust(pattern.min_fraction, "0")
    whole = whole.lstrip("0").rjust(pattern.min_integer, "0")
    sign = "-" if exponent < 0 else ""
    exponent_text = str(abs(exponent)).rjust(pattern.min_exponent or 1, "0")
    point = "." if fraction or pattern.point_always else ""
    return f"{whole}{point}{fraction}E{sign}{exponent_text}"


@lru_cache(maxsize=256)
def _parse(pattern: str) -> _Pattern:
    positive, negative = _split_at_semicolon(pattern)
    prefix, number, suffix = _affixes(positive, pattern)
    scale = 2 if "%" in prefix + suffix else 3 if "‰" in prefix + suffix else 0
    prefix, suffix = _unquote(prefix), _unquote(suffix)
    negative_prefix, negative_suffix = "-" + prefix, suffix
    if negative:
        before, _, after = _affixes(negative, pattern)
        negative_prefix, negative_suffix = _unquote(before), _unquote(after)
        if (negative_prefix, negative_suffix) == (prefix, suffix):
            negative_prefix = "-" + prefix
    mantissa, marker, exponent = number.partition("E")
    if marker and (not exponent or exponent.strip("0")):
        raise EvaluationError(f'Malformed exponential pattern "{pattern}"')
    whole, point, fraction = mantissa.partition(".")
    grouping = len(whole) - whole.rindex(",") - 1 if "," in whole else 0
    whole = whole.replace(",", "")
    if "0#" in whole or "#0" in fraction or "," in fraction or "." in fraction:
        raise EvaluationError(f'Malformed pattern "{pattern}"')
    if "0" not in whole + fraction and point:
        # "#.#" shows a digit before the point, ".#" one behind it.
        if whole:
            whole = whole[:-1] + "0"
        else:
            fraction = "0" + fraction[1:]
    min_integer = whole.count("0")
    return _Pattern(
        prefix,
        suffix,
        negative_prefix,
        negative_suffix,
        min_integer,
        len(whole),
        fraction.count("0"),
        len(fraction),
        grouping,
        scale,
        len(exponent) if marker else None,
        bool(point) and not fraction,
    )


def _split_at_semicolon(pattern: str) -> tuple[str, str]:
    quoted = False
    for index, character in enumerate(pattern):
        if character == "'":
            quoted = not quoted
        elif character == ";" and not quoted:
            return pattern[:index], pattern[index + 1 :]
    return pattern, ""


def _affixes(pattern: str, whole_pattern: str) -> tuple[str, str, str]:
    """Prefix, digits and suffix of one half of a pattern, the affixes still quoted."""
    quoted = False
    start = end = -1
    for index, character in enumerate(pattern):
        if character == "'":
            quoted = not quoted
        elif not quoted and (character in "0#,." or (character == "E" and start >= 0 and end == index)):
            if start < 0:
                start = index
            elif end != index:
                raise EvaluationError(
                    f"Unquoted special character '{character}' in pattern \"{whole_pattern}\""
                )
            end = index + 1
    if start < 0:
        return pattern, "", ""
    return pattern[:start], pattern[start:end], pattern[end:]


def _unquote(affix: str) -> str:
    result: list[str] = []
    index = 0
    quoted = False
    while index < len(affix):
        character = affix[index]
        if character == "'":
            if affix.startswith("''", index):
                result.append("'")
                index += 1
            else:
                quoted = not quoted
        elif character == "¤" and not quoted:
            result.append("$")
        else:
            result.append(character)
        index += 1
    return "".join(result)
