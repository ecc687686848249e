"""Filters that work with patterns: regular expressions in Java's flavour, and replacements."""

from __future__ import annotations

from typing import cast

from windhover.expression import java_regex
from windhover.expression.errors import EvaluationError
from windhover.expression.library.strings import only_text
from windhover.expression.registry import Example, filter_
from windhover.expression.scope import Frame
from windhover.expression.values import is_integer, is_list, is_map, to_string


def _pattern(name: str, argument: str, value: object) -> str:
    if not isinstance(value, str):
        raise EvaluationError(f"The '{name}' filter expects an argument '{argument}' with type string.")
    return value


def _seconds(frame: Frame) -> float:
    return max(0.001, min(frame.scope.limits.regex_seconds, frame.budget.remaining_seconds()))


@filter_(
    "split",
    "A text cut at a regular expression. Empty parts at the end are dropped; a `limit` above 0 bounds the "
    "number of parts, one below 0 keeps the empty parts.",
    Example("{{ 'apple,banana,cherry' | split(',') }}", '["apple","banana","cherry"]'),
    Example("{{ 'a,b,c' | split(',', 2) }}", '["a","b,c"]'),
    needs_frame=True,
)
def split(frame: Frame, value: object, delimiter: object, limit: object = 0) -> list[str]:
    pattern = _pattern("split", "delimiter", delimiter)
    if limit is not None and not is_integer(limit):
        raise EvaluationError("The 'split' filter expects an integer as argument 'limit'.")
    return java_regex.split(pattern, only_text("split", value), limit or 0, _seconds(frame))


@filter_(
    "replace",
    "A text with every key of a map replaced by its value, in the order of the map. With `regexp` the keys "
    "are regular expressions and `$1` in a value stands for a group. Also inside lists and maps.",
    Example('{{ "I like %this%." | replace({"%this%": "tea"}) }}', "I like tea."),
    Example("{{ 'aa1bb2' | replace({'(\\d)': '-$1-'}, regexp=true) }}", "aa-1-bb-2-"),
    needs_frame=True,
    names=("replace_pairs", "regexp"),
)
def replace(frame: Frame, value: object, replace_pairs: object, regexp: object = False) -> object:
    if not is_map(replace_pairs):
        raise EvaluationError("The 'replace' filter expects an argument 'replace_pairs' with type map.")
    pairs = [(to_string(search), to_string(target)) for search, target in replace_pairs.items()]
    return _replace(frame, value, pairs, regexp is True)


def _replace(frame: Frame, value: object, pairs: list[tuple[str, str]], regexp: bool) -> object:
    if value is None:
        return None
    if is_map(value):
        return {
            _replace(frame, key, pairs, regexp) if isinstance(key, str) else key: _replace(
                frame, item, pairs, regexp
            )
            for key, item in value.items()
        }
    if is_list(value):
        return [_replace(frame, item, pairs, regexp) for item in value]
    text = value if isinstance(value, str) else to_string(value)
    most = frame.scope.limits.max_output
    for search, target in pairs:
        if regexp:
            text = java_regex.replace_all(search, target, text, _seconds(frame), most)
        else:
            found = text.count(search)
            frame.budget.check_size(len(text) + found * (len(target) - len(search)))
            text = text.replace(search, target)
    return text


@filter_(
    "regexMatch",
    "Whether a regular expression is found anywhere in a text.",
    Example('{{ "hello world" | regexMatch("w[a-z]+") }}', "true"),
    needs_frame=True,
    null_passes=False,
    since="2.0",
)
def regex_match(frame: Frame, value: object, regex: object) -> bool:
    pattern = _pattern("regexMatch", "regex", regex)
    if value is None:
        return False
    text = value if isinstance(value, str) else to_string(value)
    return java_regex.search(pattern, text, _seconds(frame)) is not None


@filter_(
    "regexReplace",
    "A text with all matches of a regular expression replaced; `$1` stands for a group.",
    Example("{{ '2024-01-15' | regexReplace('(\\d+)-(\\d+)-(\\d+)', '$3/$2/$1') }}", "15/01/2024"),
    needs_frame=True,
    since="2.0",
)
def regex_replace(frame: Frame, value: object, regex: object, replacement: object) -> str:
    pattern = _pattern("regexReplace", "regex", regex)
    text = value if isinstance(value, str) else to_string(value)
    target = _pattern("regexReplace", "replacement", replacement)
    return java_regex.replace_all(pattern, target, text, _seconds(frame), frame.scope.limits.max_output)


@filter_(
    "regexExtract",
    "The first match of a regular expression, or one of its groups; null if there is none.",
    Example("{{ 'order-12345-done' | regexExtract('\\d+') }}", "12345"),
    Example("{{ '2024-01-15' | regexExtract('(\\d+)-(\\d+)', 2) }}", "01"),
    needs_frame=True,
    since="2.0",
)
def regex_extract(frame: Frame, value: object, regex: object, group: object = 0) -> str | None:
    pattern = _pattern("regexExtract", "regex", regex)
    text = value if isinstance(value, str) else to_string(value)
    if not is_integer(group) or group < 0:
        raise EvaluationError("The 'regexExtract' filter expects a number not below 0 as argument 'group'.")
    match = java_regex.search(pattern, text, _seconds(frame))
    if match is None:
        return None
    if group > match.re.groups:
        raise EvaluationError(f"No group {group} in the regular expression '{pattern}'.")
    return cast("str | None", match[group])
