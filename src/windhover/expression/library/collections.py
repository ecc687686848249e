"""Filters of lists and maps, and of texts where they behave like a list of characters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import date
from functools import cmp_to_key

from windhover.expression.errors import EvaluationError
from windhover.expression.operators import value_range
from windhover.expression.registry import Example, filter_, function
from windhover.expression.scope import Frame
from windhover.expression.values import (
    class_name,
    equals,
    is_integer,
    is_list,
    is_map,
    is_number,
    to_string,
)


def utf16(text: str) -> str:
    """The text with one character for each UTF-16 unit, since positions and lengths count those."""
    if text.isascii() or all(ord(character) < 0x10000 for character in text):
        return text
    encoded = text.encode("utf-16-be", "surrogatepass")
    return "".join(chr(encoded[i] << 8 | encoded[i + 1]) for i in range(0, len(encoded), 2))


def from_utf16(text: str) -> str:
    """The reverse of ``utf16``; half of a character that was cut in two becomes the replacement character."""
    return text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")


def _character(text: str, index: int, filter_name: str) -> str:
    if not text:
        raise EvaluationError(f"The '{filter_name}' filter finds no character in an empty text.")
    return text[index]


@filter_(
    "first",
    "The first element of a list, null if there is none, or the first character of a text.",
    Example("{{ ['apple', 'banana', 'cherry'] | first }}", "apple"),
    Example("{{ 'Windhover' | first }}", "W"),
)
def first(value: object) -> object:
    if isinstance(value, str):
        return _character(value, 0, "first")
    if is_list(value):
        return value[0] if value else None
    if isinstance(value, Set):
        return next(iter(value), None)
    raise EvaluationError("The 'first' filter expects a list or a text.")


@filter_(
    "last",
    "The last element of a list, null if there is none, or the last character of a text.",
    Example("{{ ['apple', 'banana', 'cherry'] | last }}", "cherry"),
)
def last(value: object) -> object:
    if isinstance(value, str):
        return _character(value, -1, "last")
    if is_list(value):
        return value[-1] if value else None
    raise EvaluationError("The 'last' filter expects a list or a text.")


@filter_(
    "length",
    "The number of elements, entries or characters (UTF-16 units); 0 for null and for numbers.",
    Example("{{ ['apple', 'banana'] | length }}", "2"),
    Example("{{ {'a': 1} | length }}", "1"),
    null_passes=False,
)
def length(value: object) -> int:
    if isinstance(value, str):
        return len(utf16(value))
    if is_list(value) or is_map(value) or isinstance(value, Set):
        return len(value)
    return 0


@filter_(
    "join",
    "The elements of a list as one text, with a separator between them.",
    Example("{{ ['apple', 'banana'] | join(', ') }}", "apple, banana"),
    needs_frame=True,
)
def join(frame: Frame, value: object, separator: object = None) -> str:
    if not is_list(value) and not isinstance(value, Set):
        raise EvaluationError("The 'join' filter expects a list.")
    between = "" if separator is None else to_string(separator)
    texts = [to_string(item) for item in value]
    frame.budget.check_size(sum(map(len, texts)) + len(between) * len(texts))
    return between.join(texts)


def _order(left: object, right: object) -> int:
    if is_number(left) and is_number(right):
        return (left > right) - (left < right)
    if isinstance(left, str) and isinstance(right, str):
        first_, second = utf16(left), utf16(right)
        return (first_ > second) - (first_ < second)
    if isinstance(left, bool) and isinstance(right, bool):
        return left - right
    if isinstance(left, date) and isinstance(right, date) and type(left) is type(right):
        return (left > right) - (left < right)
    raise EvaluationError(f"{class_name(left)} cannot be compared to {class_name(right)}")


def _sortable(value: object, name: str) -> Sequence[object]:
    if not is_list(value):
        raise EvaluationError(f"The '{name}' filter expects a list, got {class_name(value)}.")
    return value


@filter_(
    "sort",
    "A list in ascending order; all elements must be numbers or all must be texts.",
    Example("{{ [3, 1, 2] | sort }}", "[1,2,3]"),
)
def sort(value: object) -> list[object]:
    return sorted(_sortable(value, "sort"), key=cmp_to_key(_order))


@filter_(
    "rsort",
    "A list in descending order.",
    Example("{{ [3, 1, 2] | rsort }}", "[3,2,1]"),
)
def rsort(value: object) -> list[object]:
    return sorted(_sortable(value, "rsort"), key=cmp_to_key(_order), reverse=True)


@filter_(
    "reverse",
    "A list in reverse order.",
    Example("{{ [1, 2, 3] | reverse }}", "[3,2,1]"),
)
def reverse(value: object) -> list[object]:
    return list(reversed(_sortable(value, "reverse")))


def _index(value: object, argument: str) -> int:
    if not is_integer(value):
        raise EvaluationError(f"The 'slice' filter expects an integer as argument '{argument}'.")
    return value


@filter_(
    "slice",
    "Elements or characters from one index to, not including, another.",
    Example("{{ ['apple', 'banana', 'cherry'] | slice(1, 2) }}", '["banana"]'),
    Example("{{ 'Windhover' | slice(4) }}", "hover"),
)
def slice_(value: object, from_index: object = 0, to_index: object = None) -> object:
    if not isinstance(value, str) and not is_list(value):
        raise EvaluationError("The 'slice' filter expects a list or a text.")
    items: Sequence[object] = utf16(value) if isinstance(value, str) else value
    start = 0 if from_index is None else _index(from_index, "fromIndex")
    end = len(items) if to_index is None else _index(to_index, "toIndex")
    if start < 0 or start > len(items):
        raise EvaluationError(f"fromIndex must be between 0 and {len(items)}, got {start}")
    if end < start or end > len(items):
        raise EvaluationError(f"toIndex must be between fromIndex and {len(items)}, got {end}")
    part = items[start:end]
    return from_utf16(part) if isinstance(part, str) else list(part)


@filter_(
    "merge",
    "A list with the elements of another behind it, or a map with the entries of another.",
    Example("{{ [1, 2] | merge([3, 4]) }}", "[1,2,3,4]"),
    Example("{{ {'a': 1} | merge({'b': 2}) }}", '{"a":1,"b":2}'),
    null_passes=False,
)
def merge(value: object, items: object) -> object:
    if items is None:
        return value
    if value is None:
        return items
    if is_map(value):
        if is_map(items):
            return {**dict(value), **dict(items)}
        if is_list(items):
            keyed: dict[object, object] = {
                item: item for item in items if item is None or isinstance(item, str | int)
            }
            return {**dict(value), **keyed}
        raise EvaluationError("The 'merge' filter expects a map or a list as argument 'items'.")
    if is_list(value):
        if is_map(items):
            return [*value, *({key: item} for key, item in items.items())]
        if is_list(items):
            return [*value, *items]
        raise EvaluationError("The 'merge' filter expects a list or a map as argument 'items'.")
    raise EvaluationError("The 'merge' filter expects a list or a map.")


@filter_(
    "keys",
    "The keys of a map, or the indexes of a list.",
    Example("{{ {'foo': 'bar'} | keys }}", '["foo"]'),
    Example("{{ ['a', 'b'] | keys }}", "[0,1]"),
)
def keys(value: object) -> list[object]:
    if is_map(value):
        return list(value)
    if is_list(value):
        return list(range(len(value)))
    raise EvaluationError("The 'keys' filter expects a map or a list.")


@filter_(
    "values",
    "The values of a map.",
    Example("{{ {'foo': 'bar'} | values }}", '["bar"]'),
)
def values(value: object) -> list[object]:
    if is_map(value):
        return list(value.values())
    raise EvaluationError("'values' filter can only be applied to Map.")


@filter_(
    "chunk",
    "A list cut into lists of a given size.",
    Example("{{ [1, 2, 3, 4, 5] | chunk(2) }}", "[[1,2],[3,4],[5]]"),
)
def chunk(value: object, size: object) -> list[object]:
    if not is_list(value):
        raise EvaluationError("'chunk' filter can only be applied to List.")
    if not is_integer(size) or size <= 0:
        raise EvaluationError("The 'chunk' filter expects a positive integer as argument 'size'.")
    return [list(value[start : start + size]) for start in range(0, len(value), size)]


@filter_(
    "distinct",
    "A list without repetitions, in the order of first appearance.",
    Example("{{ [1, 2, 2, 3, 1] | distinct }}", "[1,2,3]"),
    since="1.0",
    null_passes=False,
)
def distinct(value: object) -> list[object] | str:
    if value is None:
        return "null"
    if not is_list(value):
        raise EvaluationError("'distinct' filter can only be applied to List.")
    seen: set[tuple[type, object]] = set()
    result: list[object] = []
    for item in value:
        if isinstance(item, str | int | float) or item is None:
            mark = (type(item), item)
            if mark in seen:
                continue
            seen.add(mark)
        elif any(equals(item, other) for other in result):
            continue
        result.append(item)
    return result


@filter_(
    "flatten",
    "A list with the elements of the lists in it, one level deep.",
    Example("{{ [[1, 2], [3], 4] | flatten }}", "[1,2,3,4]"),
)
def flatten(value: object) -> list[object]:
    if not is_list(value):
        raise EvaluationError("'flatten' filter can only be applied to List.")
    result: list[object] = []
    for item in value:
        if is_list(item):
            result.extend(item)
        else:
            result.append(item)
    return result


@function(
    "range",
    "Numbers or letters from start to end, both included.",
    Example("{{ range(0, 3) }}", "[0,1,2,3]"),
    Example("{{ range(0, 6, 2) }}", "[0,2,4,6]"),
    Example("{{ range('a', 'c') }}", '["a","b","c"]'),
)
def range_(start: object, end: object, increment: object = 1) -> list[object]:
    return value_range(start, end, increment)


def _extreme(name: str, numbers: tuple[object, ...], sign: int) -> object:
    found: object = None
    for number in numbers:
        if number is None:
            continue
        if found is None or _order(number, found) * sign > 0:
            found = number
    return found


@function("max", "The largest of its arguments.", Example("{{ max(5, 10, 15) }}", "15"))
def max_(*numbers: object) -> object:
    return _extreme("max", numbers, 1)


@function("min", "The smallest of its arguments.", Example("{{ min(5, 10, 15) }}", "5"))
def min_(*numbers: object) -> object:
    return _extreme("min", numbers, -1)


def is_empty(value: object) -> bool:
    """Whether ``is empty`` holds: null, blank text, and lists and maps without elements."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, Mapping | Set) or is_list(value):
        return not value
    return False


@filter_(
    "default",
    "Another value in place of one that does not exist, is null or is empty.",
    Example("{{ user.phone | default('No phone number') }}", "No phone number", {"user": {}}),
    null_passes=False,
    lenient=True,
)
def default(value: object, default: object = None) -> object:
    return default if is_empty(value) else value
