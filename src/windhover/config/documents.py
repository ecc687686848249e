"""Read a YAML document into a tree of nodes with their positions."""

import re
from typing import TYPE_CHECKING

import yaml

from windhover.config.problems import ConfigProblem, ConfigurationError
from windhover.config.tree import ListNode, MapNode, Node, Origin, ScalarNode

if TYPE_CHECKING:
    from pathlib import Path

#: How deep a document may nest, and how many values it may have once its aliases are resolved. No
#: configuration comes near; without bounds a few lines could use up the stack or the memory.
_MAX_DEPTH = 100
_MAX_VALUES = 100_000

_BASE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _ConfigurationLoader(_BASE_LOADER):  # type: ignore[misc, valid-type]
    """YAML as Kestra's configuration is read: YAML 1.1 booleans (``yes``, ``on``), but neither dates nor
    base-60 numbers, which nobody means when they write ``12:30`` or ``2024-01-01``."""


_PLAIN_NUMBERS = {
    "tag:yaml.org,2002:int": re.compile(r"^[-+]?(?:0b[0-1_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$"),
    "tag:yaml.org,2002:float": re.compile(
        r"^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
}


def _without_dates_and_base_60() -> dict[str, list[tuple[str, "re.Pattern[str]"]]]:
    resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for first_character, choices in _BASE_LOADER.yaml_implicit_resolvers.items():
        resolvers[first_character] = [
            (tag, _PLAIN_NUMBERS.get(tag, pattern))
            for tag, pattern in choices
            if tag != "tag:yaml.org,2002:timestamp"
        ]
    return resolvers


_ConfigurationLoader.yaml_implicit_resolvers = _without_dates_and_base_60()


def read_file(path: "Path") -> MapNode:
    """The document of one configuration file.

    Raises:
        ConfigurationError: the file cannot be read, or is not a YAML mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _document_error(str(path), "the configuration file does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise _document_error(str(path), f"the configuration file cannot be read: {error}") from error
    return parse(text, str(path))


def parse(text: str, source: str) -> MapNode:
    """The document ``text``, whose positions are told as ``source:line:column``.

    Raises:
        ConfigurationError: not YAML, not a mapping, or a key written twice.
    """
    loader = _ConfigurationLoader(text)
    try:
        _refuse_deep_nesting(text, source)
        root = loader.get_single_node()
        if root is None:
            return MapNode(Origin(source))
        node = _NodeReader(loader, source).read(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = source if mark is None else f"{source}:{mark.line + 1}:{mark.column + 1}"
        raise _document_error(where, f"not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise _document_error(source, f"not valid YAML: {error}") from None
    finally:
        loader.dispose()
    if isinstance(node, ScalarNode) and node.is_null:
        return MapNode(Origin(source))
    if not isinstance(node, MapNode):
        raise _document_error(str(node.origin), "expected a mapping of configuration keys")
    return node


def _refuse_deep_nesting(text: str, source: str) -> None:
    """Must run before nodes are composed, which is done recursively."""
    depth = 0
    for event in yaml.parse(text, _ConfigurationLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH and event.start_mark is not None:
                place = f"{source}:{event.start_mark.line + 1}:{event.start_mark.column + 1}"
                raise _document_error(place, _TOO_DEEP)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


_TOO_DEEP = f"values are nested more than {_MAX_DEPTH} deep"


class _NodeReader:
    def __init__(self, loader: yaml.SafeLoader, source: str) -> None:
        self._loader = loader
        self._source = source
        self._depth = 0
        self._count = 0

    def read(self, node: yaml.Node) -> Node:
        origin = self._origin(node)
        self._count += 1
        if self._count > _MAX_VALUES:
            raise _document_error(
                str(origin), f"more than {_MAX_VALUES} values, with all that aliases repeat"
            )
        self._depth += 1
        # An alias may stand inside of what it names.
        if self._depth > _MAX_DEPTH:
            raise _document_error(str(origin), _TOO_DEEP)
        read = self._read(node, origin)
        self._depth -= 1
        return read

    def _read(self, node: yaml.Node, origin: Origin) -> Node:
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, origin)
        if isinstance(node, yaml.SequenceNode):
            return ListNode([self.read(item) for item in node.value], origin)
        value = self._loader.construct_object(node, deep=True)
        return ScalarNode(value, "" if value is None else str(node.value), origin)

    def _read_mapping(self, node: yaml.MappingNode, origin: Origin) -> MapNode:
        self._refuse_repeated_keys(node)
        self._loader.flatten_mapping(node)
        result = MapNode(origin)
        for key_node, value_node in node.value:
            key = str(key_node.value)
            result.entries[key] = self.read(value_node)
            result.key_origins[key] = self._origin(key_node)
        return result

    def _refuse_repeated_keys(self, node: yaml.MappingNode) -> None:
        """Must run before merge keys (``<<``) are resolved: what those bring may be overridden."""
        first_lines: dict[str, int] = {}
        for key_node, _ in node.value:
            key, origin = str(key_node.value), self._origin(key_node)
            if key in first_lines:
                message = f"the key is written twice in one mapping, first at line {first_lines[key]}"
                raise ConfigurationError([ConfigProblem(key, str(origin), message)])
            first_lines[key] = origin.line or 0

    def _origin(self, node: yaml.Node) -> Origin:
        mark = node.start_mark
        return Origin(self._source, mark.line + 1, mark.column + 1)


def _document_error(source: str, message: str) -> ConfigurationError:
    return ConfigurationError([ConfigProblem("", source, message)])
