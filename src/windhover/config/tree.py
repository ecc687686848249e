"""A configuration document as a tree of nodes that remember where they were written."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written; ``line`` and ``column`` count from 1 and are None outside documents."""

    source: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A single value: ``text`` as written (typed settings are bound from it, so that a file and an
    environment variable mean the same) and ``value`` as YAML types it (what plugins read)."""

    value: object
    text: str
    origin: Origin

    @property
    def is_null(self) -> bool:
        return self.value is None


@dataclass(frozen=True, slots=True)
class ListNode:
    items: list["Node"]
    origin: Origin


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping; ``key_origins`` says where each key stands, for keys that are not known."""

    origin: Origin
    entries: dict[str, "Node"] = field(default_factory=dict)
    key_origins: dict[str, Origin] = field(default_factory=dict)

    def put(self, key: str, node: "Node", origin: Origin) -> None:
        """Set ``key``, merged over what it holds already."""
        present = self.entries.get(key)
        self.entries[key] = node if present is None else merge(present, node)
        self.key_origins[key] = origin


Node = ScalarNode | ListNode | MapNode


def merge(weaker: Node, stronger: Node) -> Node:
    """``stronger`` over ``weaker``: mappings are merged key by key, anything else is replaced."""
    if not (isinstance(weaker, MapNode) and isinstance(stronger, MapNode)):
        return stronger
    merged = MapNode(stronger.origin, dict(weaker.entries), dict(weaker.key_origins))
    for key, node in stronger.entries.items():
        merged.put(key, node, stronger.key_origins[key])
    return merged


def find(root: Node, path: str) -> Node | None:
    """The node at a dotted path of canonical names, or None."""
    node: Node | None = root
    for segment in path.split("."):
        if not isinstance(node, MapNode):
            return None
        node = node.entries.get(segment)
    return node


def plain(node: Node) -> object:
    """The node as ordinary Python values, scalars typed as YAML types them."""
    if isinstance(node, MapNode):
        return {key: plain(child) for key, child in node.entries.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return node.value


def from_python(value: object, origin: Origin) -> Node:
    """A node tree for ordinary Python values, all of one origin."""
    if isinstance(value, Mapping):
        node = MapNode(origin)
        for key, child in value.items():
            node.put(str(key), from_python(child, origin), origin)
        return node
    if isinstance(value, list | tuple):
        return ListNode([from_python(item, origin) for item in value], origin)
    if isinstance(value, bool):
        return ScalarNode(value, str(value).lower(), origin)
    return ScalarNode(value, "" if value is None else str(value), origin)
