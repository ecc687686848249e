"""Per-key settings in environment variables, as Micronaut maps them:
``KESTRA_SERVER_BASIC_AUTH_USERNAME`` is ``kestra.server.basic-auth.username``."""

import re
from collections.abc import Iterator, Mapping

from windhover.config.problems import ConfigProblem
from windhover.config.tree import MapNode, Node, Origin, ScalarNode
from windhover.config.vocabulary import CANONICAL_ROOT, PRODUCT_ROOT, KeyLevel, Vocabulary, fold

DOCUMENT_VARIABLES = ("KESTRA_CONFIGURATION", "WINDHOVER_CONFIGURATION")
"""Variables that hold a whole YAML document, weakest first."""

_NOT_SETTINGS = frozenset(
    {
        *DOCUMENT_VARIABLES,
        "KESTRA_PLUGINS_PATH", "WINDHOVER_PLUGINS_PATH", "KESTRA_JAVA_OPTS", "KESTRA_API_TOKEN",
        "KESTRA_TENANT", "KESTRA_HOST", "MICRONAUT_ENVIRONMENTS", "MICRONAUT_CONFIG_FILES",
    }
)  # fmt: skip

_REPORTED_ROOTS = frozenset({"kestra", "windhover", "datasources"})
"""Only these prefixes are ours alone; a stray ``OTEL_…`` or ``TASKS_…`` belongs to someone else."""

_SERVICE_LINK = re.compile(
    r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?$"
)
"""What Kubernetes and Docker put into every container for a service called ``kestra``."""


def read_environment(
    environ: Mapping[str, str], vocabulary: Vocabulary, present: Node, unknown: list[ConfigProblem]
) -> list[MapNode]:
    """The trees of the per-key variables, weakest (``KESTRA_…``) first, under canonical names.

    ``present`` is what the documents hold: a variable for a key of an open region (a global, a logger)
    overrides the key as it is spelled there.
    """
    weaker, stronger = MapNode(Origin("environment")), MapNode(Origin("environment"))
    for variable in sorted(environ):
        root, _, rest = variable.partition("_")
        level = _root_level(root, vocabulary)
        if level is None or not rest or variable in _NOT_SETTINGS or variable != variable.upper():
            continue
        origin = Origin(f"environment variable {variable}")
        name = root.lower() if root.lower() != PRODUCT_ROOT else CANONICAL_ROOT
        path = _closest_key(rest.split("_"), level, _entry(present, name))
        if path is not None:
            layer = stronger if root == PRODUCT_ROOT.upper() else weaker
            text = environ[variable]
            _put(layer, [name, *path], ScalarNode(text, text, origin), origin)
        elif root.lower() in _REPORTED_ROOTS and not _SERVICE_LINK.search(variable):
            near = _nearest_variable(variable, name, vocabulary)
            hint = f"did you mean {near}?" if near else None
            written = variable.lower().replace("_", ".")
            unknown.append(ConfigProblem(written, str(origin), "no known key has this variable", hint))
    return [weaker, stronger]


def _root_level(root: str, vocabulary: Vocabulary) -> KeyLevel | None:
    known = vocabulary.root.child(CANONICAL_ROOT if root == PRODUCT_ROOT.upper() else root)
    return None if known is None else known[1]


def _closest_key(words: list[str], level: KeyLevel, present: Node | None) -> list[str] | None:
    """The words as a key spelled out below ``level``, else as one of an open region, or None."""
    for into_open in (False, True):
        for path in _paths(words, level, present, into_open):
            return path
    return None


def _paths(words: list[str], level: KeyLevel, present: Node | None, into_open: bool) -> Iterator[list[str]]:
    """Every way to read the words as a key below ``level``."""
    if not words:
        if not level.is_section:
            yield []
        return
    for taken in range(1, len(words) + 1):
        known = level.children.get("".join(words[:taken]).lower())
        if known is not None:
            name, child = known
            for rest in _paths(words[taken:], child, _entry(present, name), into_open):
                yield [name, *rest]
    if level.wildcard is not None:
        for taken in range(1, len(words)):
            name = _spelling(words[:taken], present, "-")
            if level.wildcard.is_named_region and _entry(present, name) is None:
                continue
            for rest in _paths(words[taken:], level.wildcard, _entry(present, name), into_open):
                yield [name, *rest]
    if into_open and level.is_open:
        yield [_spelling(words, present, "_" if level.path.endswith(".globals") else ".")]


def _spelling(words: list[str], present: Node | None, separator: str) -> str:
    """The key as the documents spell it, or else the words joined."""
    if isinstance(present, MapNode):
        wanted = "".join(words).lower()
        for key in present.entries:
            if fold(key).replace(".", "") == wanted:
                return key
    return separator.join(words).lower()


def _entry(node: Node | None, name: str) -> Node | None:
    return node.entries.get(name) if isinstance(node, MapNode) else None


def _put(layer: MapNode, path: list[str], node: Node, origin: Origin) -> None:
    for segment in reversed(path[1:]):
        inner = MapNode(origin)
        inner.put(segment, node, origin)
        node = inner
    layer.put(path[0], node, origin)


def _nearest_variable(variable: str, root: str, vocabulary: Vocabulary) -> str | None:
    from difflib import get_close_matches

    known = [
        path.upper().replace(".", "_").replace("-", "_")
        for path in vocabulary.paths()
        if path.startswith(f"{root}.") and "*" not in path and "[" not in path
    ]
    spelled = variable.replace(f"{PRODUCT_ROOT.upper()}_", f"{CANONICAL_ROOT.upper()}_", 1)
    near = get_close_matches(spelled, known, n=1, cutoff=0.8)
    return near[0] if near else None
