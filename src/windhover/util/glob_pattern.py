"""Patterns for paths and dotted names: ``*``, ``**``, ``?``, ``[ab]``, ``{a,b}``."""

from __future__ import annotations

import re


def compile_wildcard(pattern: str) -> re.Pattern[str]:
    """A pattern for names as a whole: ``*`` is any text, ``?`` any character, all else is itself."""
    anything = {"*": ".*", "?": "."}
    return re.compile("".join(anything.get(char) or re.escape(char) for char in pattern), re.DOTALL)


def compile_glob(pattern: str) -> re.Pattern[str]:
    """A pattern for paths with ``/`` between their parts.

    ``*`` and ``?`` stay within a part, ``**`` crosses parts and ``**/`` may stand for none, ``[ab]`` and
    ``{a,b}`` choose. ``\\`` takes the meaning of the next character away.
    """
    out: list[str] = []
    depth = 0
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            if pattern.startswith("*", at):
                at += 1
                if pattern.startswith("/", at):
                    at += 1
                    out.append("(?:[^/]+/)*")
                else:
                    out.append(".*")
            else:
                out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and (closing := pattern.find("]", at + 1)) > 0:
            inner = pattern[at:closing].replace("\\", "\\\\").replace("[", "\\[")
            out.append(f"(?!/)[{'^' + inner[1:] if inner[:1] in '!^' else inner}]")
            at = closing + 1
        elif char == "{" and "}" in pattern[at:]:
            depth += 1
            out.append("(?:")
        elif char == "}" and depth:
            depth -= 1
            out.append(")")
        elif char == "," and depth:
            out.append("|")
        elif char == "\\" and at < len(pattern):
            out.append(re.escape(pattern[at]))
            at += 1
        else:
            out.append(re.escape(char))
    return re.compile("".join(out) + ")" * depth, re.DOTALL)
