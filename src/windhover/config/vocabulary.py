"""The keys a configuration may hold, and which spellings are one key.

A key's segments are compared without hyphens, underscores and letter case, so ``base-path``, ``basePath``
and ``base_path`` are one; inside *open* regions (``**``) keys are the user's own and are kept as written.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from windhover.config.problems import ConfigProblem
from windhover.config.tree import ListNode, MapNode, Node, Origin, ScalarNode

PRODUCT_ROOT = "windhover"
"""Accepted beside ``kestra``, whose keys it overrides."""

CANONICAL_ROOT = "kestra"


def fold(segment: str) -> str:
    """The form in which spellings of one key segment are equal."""
    return segment.replace("-", "").replace("_", "").lower()


@dataclass(slots=True)
class Findings:
    """What a document holds that does not fit the vocabulary.

    Attributes:
        unknown: keys that are not known.
        unread: keys of an open region that nothing reads, and that look like one that is read.
        ill_typed: single values where a mapping of keys belongs.
    """

    unknown: list[ConfigProblem] = field(default_factory=list)
    unread: list[ConfigProblem] = field(default_factory=list)
    ill_typed: list[ConfigProblem] = field(default_factory=list)


@dataclass(slots=True)
class KeyLevel:
    """What may stand at and below one place of the configuration."""

    path: str
    children: dict[str, tuple[str, "KeyLevel"]] = field(default_factory=dict)
    wildcard: "KeyLevel | None" = None
    items: "KeyLevel | None" = None
    is_open: bool = False
    is_leaf: bool = False

    @property
    def is_section(self) -> bool:
        """Only a mapping may stand here."""
        return not self.is_leaf and self.items is None and bool(self.children or self.wildcard)

    @property
    def is_named_region(self) -> bool:
        """A mapping of the user's own under any name (``*.**``), such as the keys of a storage plugin."""
        return self.is_open and not self.is_leaf and self.path.endswith(".*")

    def child(self, segment: str) -> "tuple[str, KeyLevel] | None":
        """The canonical name and level of ``segment``, or None for a key that is not known."""
        known = self.children.get(fold(segment))
        if known is not None:
            return known
        if self.wildcard is not None:
            return segment, self.wildcard
        return None


class Vocabulary:
    """The set of known keys, built from patterns: ``*`` is any one key, ``[]`` the items of a list,
    ``**`` everything below."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self.root = KeyLevel("")
        for pattern in patterns:
            self._add(pattern)
        _open_below(self.root)

    def _add(self, pattern: str) -> None:
        level: KeyLevel = self.root
        for segment in pattern.replace("[]", ".[]").split("."):
            path = f"{level.path}.{segment}" if level.path else segment
            if segment == "**":
                level.is_open = True
                return
            if segment == "[]":
                below = level.items = level.items or KeyLevel(f"{level.path}[]")
                level = below
            elif segment == "*":
                below = level.wildcard = level.wildcard or KeyLevel(path)
                level = below
            else:
                _, level = level.children.setdefault(fold(segment), (segment, KeyLevel(path)))
        level.is_leaf = True

    def paths(self) -> Iterator[str]:
        """Every known key, wildcards left as ``*``."""
        yield from _paths(self.root)

    def conform(self, document: MapNode, findings: Findings) -> MapNode:
        """``document`` under canonical key names: dotted keys nested, ``windhover`` folded over ``kestra``.

        Keys that are not known stay as written; they and the rest that does not fit go to ``findings``.
        """
        return _Conforming(self, findings).run(document)

    def suggest(self, path: str, parent: KeyLevel | None, segment: str) -> str | None:
        """The known key nearest to an unknown one: among its siblings first, then anywhere."""
        from difflib import get_close_matches

        if parent is not None:
            near = get_close_matches(fold(segment), list(parent.children), n=1, cutoff=0.6)
            if near:
                prefix = path[: -len(segment)]
                return prefix + parent.children[near[0]][0]
        folded = {fold(known): known for known in self.paths()}
        same_name = [known for known in folded if known.endswith(f".{fold(segment)}")]
        anywhere = get_close_matches(fold(path), same_name, n=1, cutoff=0.5) or get_close_matches(
            fold(path), list(folded), n=1, cutoff=0.8
        )
        return folded[anywhere[0]] if anywhere else None


def _open_below(level: KeyLevel) -> None:
    """What is open at a level is open at every level below it that the patterns spell out."""
    for _, child in level.children.values():
        child.is_open = child.is_open or (level.is_open and bool(child.children))
        _open_below(child)
    for below in (level.wildcard, level.items):
        if below is not None:
            _open_below(below)


def _paths(level: KeyLevel) -> Iterator[str]:
    if level.is_leaf or (level.is_open and not level.children):
        yield level.path
    for _, child in level.children.values():
        yield from _paths(child)
    for below in (level.wildcard, level.items):
        if below is not None:
            yield from _paths(below)


class _Conforming:
    def __init__(self, vocabulary: Vocabulary, findings: Findings) -> None:
        self._vocabulary = vocabulary
        self._findings = findings

    def run(self, document: MapNode) -> MapNode:
        result = MapNode(document.origin)
        for written in sorted(document.entries, key=_is_product_root):
            key = written
            if _is_product_root(written):
                key = CANONICAL_ROOT + written[len(PRODUCT_ROOT) :]
            origin = document.key_origins[written]
            self._place(result, key, document.entries[written], origin, self._vocabulary.root, written)
        return result

    def _place(self, into: MapNode, key: str, node: Node, origin: Origin, level: KeyLevel, path: str) -> None:
        """Put ``node`` into the map under the canonical name of ``key``, as ``level`` knows it."""
        first, _, rest = key.partition(".")
        known = level.child(first)
        if known is None or (known[1].is_named_region and isinstance(node, ScalarNode) and not rest):
            into.put(key, node, origin)
            if level.is_open:
                self._report_unread(path, key, origin, level)
            else:
                self._report_unknown(path, key, origin, level)
            return
        name, child_level = known
        if rest:
            inner = MapNode(origin)
            inner.put(rest, node, origin)
            node = inner
            path = path.removesuffix(f".{rest}")
        into.put(name, self._conform(node, child_level, path), origin)

    def _conform(self, node: Node, level: KeyLevel, path: str) -> Node:
        if isinstance(node, ListNode) and level.items is not None:
            items = [self._conform(item, level.items, f"{path}[{i}]") for i, item in enumerate(node.items)]
            return ListNode(items, node.origin)
        if isinstance(node, MapNode):
            if not (level.children or level.wildcard):
                return node
            result = MapNode(node.origin)
            for key, child in node.entries.items():
                self._place(result, key, child, node.key_origins[key], level, f"{path}.{key}")
            return result
        if level.is_section and not (isinstance(node, ScalarNode) and not node.text.strip()):
            problem = ConfigProblem(path, str(node.origin), "expected a mapping of keys, not a value")
            self._findings.ill_typed.append(problem)
            return MapNode(node.origin)
        return node

    def _report_unknown(self, path: str, key: str, origin: Origin, level: KeyLevel) -> None:
        near = self._vocabulary.suggest(path, level, key)
        hint = f"did you mean {near}?" if near else None
        self._findings.unknown.append(ConfigProblem(path, str(origin), "unknown key", hint))

    def _report_unread(self, path: str, key: str, origin: Origin, level: KeyLevel) -> None:
        if not level.children:
            return
        from difflib import get_close_matches

        near = get_close_matches(fold(key), list(level.children), n=1, cutoff=0.75)
        if near:
            hint = f"did you mean {level.path}.{level.children[near[0]][0]}?"
            problem = ConfigProblem(path, str(origin), "accepted, but nothing reads it", hint)
            self._findings.unread.append(problem)


def _is_product_root(key: str) -> bool:
    return fold(key.partition(".")[0]) == PRODUCT_ROOT
