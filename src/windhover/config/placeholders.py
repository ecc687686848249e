"""Placeholders in values: ``${VARIABLE}``, ``${VARIABLE:default}`` and ``${a.b.c}``, another key's value."""

from collections.abc import Callable, Mapping
from random import random, randrange
from uuid import uuid4

from windhover.config.problems import ConfigProblem
from windhover.config.tree import ListNode, MapNode, Node, ScalarNode, find
from windhover.config.vocabulary import CANONICAL_ROOT, PRODUCT_ROOT, Vocabulary


def resolve(
    root: MapNode, environ: Mapping[str, str], vocabulary: Vocabulary, problems: list[ConfigProblem]
) -> MapNode:
    """``root`` with every placeholder replaced; one that leads nowhere is reported to ``problems``."""
    resolved = _Resolver(root, environ, vocabulary, problems).node(root, "")
    return resolved if isinstance(resolved, MapNode) else root


_RANDOM_VALUES: dict[str, Callable[[], str]] = {
    "random.uuid": lambda: str(uuid4()),
    "random.uuid2": lambda: uuid4().hex,
    "random.shortuuid": lambda: uuid4().hex[:10],
    "random.int": lambda: str(randrange(-(1 << 31), 1 << 31)),
    "random.integer": lambda: str(randrange(-(1 << 31), 1 << 31)),
    "random.long": lambda: str(randrange(-(1 << 63), 1 << 63)),
    "random.float": lambda: str(random()),
    "random.port": lambda: str(randrange(1024, 65_536)),
}


class _Unresolved(Exception):
    """A placeholder that cannot be replaced; the text says why."""


class _Resolver:
    def __init__(
        self, root: MapNode, environ: Mapping[str, str], vocabulary: Vocabulary, problems: list[ConfigProblem]
    ) -> None:
        self._root = root
        self._environ = environ
        self._vocabulary = vocabulary
        self._problems = problems

    def node(self, node: Node, path: str) -> Node:
        if isinstance(node, MapNode):
            entries = {
                key: self.node(child, f"{path}.{key}" if path else key) for key, child in node.entries.items()
            }
            return MapNode(node.origin, entries, node.key_origins)
        if isinstance(node, ListNode):
            return ListNode(
                [self.node(item, f"{path}[{i}]") for i, item in enumerate(node.items)], node.origin
            )
        if "${" not in node.text or not isinstance(node.value, str):
            return node
        try:
            text = self._text(node.text, ())
        except _Unresolved as error:
            self._problems.append(ConfigProblem(path, str(node.origin), str(error)))
            return ScalarNode(None, "", node.origin)
        return ScalarNode(text, text, node.origin)

    def _text(self, text: str, asked: tuple[str, ...]) -> str:
        """``text`` with its placeholders replaced; ``asked`` are the names already being looked up."""
        parts: list[str] = []
        position = 0
        while (start := text.find("${", position)) >= 0:
            end = _closing_brace(text, start + 2)
            if end is None:
                raise _Unresolved("a placeholder is opened by ${ but never closed by }")
            parts.append(text[position:start])
            parts.append(self._value_of(text[start + 2 : end], asked))
            position = end + 1
        parts.append(text[position:])
        return "".join(parts)

    def _value_of(self, placeholder: str, asked: tuple[str, ...]) -> str:
        name, has_default, default = placeholder.partition(":")
        name = name.strip()
        if name in asked:
            raise _Unresolved(f"the placeholder ${{{name}}} refers to itself")
        if name in self._environ:
            return self._environ[name]
        node = self._find(name)
        if isinstance(node, ScalarNode) and not node.is_null:
            return self._text(node.text, (*asked, name))
        if name in _RANDOM_VALUES:
            return _RANDOM_VALUES[name]()
        if has_default:
            # Backticks keep a default such as `http://host` apart, as Micronaut writes it.
            return self._text(default.removeprefix("`").removesuffix("`"), asked)
        if node is not None and not isinstance(node, ScalarNode):
            raise _Unresolved(f"the placeholder ${{{name}}} names a section, not a value")
        raise _Unresolved(
            f"the placeholder ${{{name}}} is neither an environment variable nor a key with a value; "
            f"set it, or give a default: ${{{name}:default}}"
        )

    def _find(self, name: str) -> Node | None:
        segments = name.split(".")
        if segments[0] == PRODUCT_ROOT:
            segments[0] = CANONICAL_ROOT
        canonical = []
        level = self._vocabulary.root
        for index, segment in enumerate(segments):
            known = level.child(segment)
            if known is None:
                canonical.extend(segments[index:])
                break
            canonical.append(known[0])
            level = known[1]
        return find(self._root, ".".join(canonical))


def _closing_brace(text: str, start: int) -> int | None:
    depth = 1
    for index in range(start, len(text)):
        if text.startswith("${", index):
            depth += 1
        elif text[index] == "}":
            depth -= 1
            if depth == 0:
                return index
    return None
