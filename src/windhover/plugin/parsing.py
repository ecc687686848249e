"""From the text of a flow to an immutable, validated definition, or to everything that is wrong with it.

    parsed = parse_flow(source, registry)
    parsed.flow.task_by_id("hello")

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from windhover.model.execution import JsonValue
from windhover.model.flow import Flow
from windhover.model.inputs import is_text_of_input
from windhover.model.plugin_default import PluginDefault
from windhover.model.problem import FlowInvalid, Problem, ProblemCode, Severity
from windhover.model.yaml.document import DocumentInvalid, read_document
from windhover.model.yaml.limits import DEFAULT_LIMITS, SourceLimits
from windhover.model.yaml.positions import Positions
from windhover.plugin.finding import shown_kind
from windhover.plugin.flow_reader import FlowReader, SubflowReference, Surroundings
from windhover.plugin.problems import shown
from windhover.plugin.registry import Registry

__all__ = ["FlowRefused", "ParsedFlow", "SubflowReference", "parse_flow"]


class ParsedFlow(msgspec.Struct, frozen=True):
    """A flow and all that is known of its text.

    ``source`` is the text as it was given, ``written`` the map that it stands for. ``deprecations`` are old
    names and types that still work, ``infos`` the current names of aliases.
    """

    flow: Flow
    source: str
    positions: Positions
    warnings: tuple[Problem, ...]
    deprecations: tuple[Problem, ...]
    infos: tuple[Problem, ...]
    subflows: tuple[SubflowReference, ...]
    written: Mapping[str, JsonValue]


class FlowRefused(FlowInvalid):
    """A text that is no valid flow, though one could be read in part.

    ``partial`` is what could be read; it must not run.
    """

    def __init__(
        self,
        problems: Iterable[Problem],
        notes: Iterable[Problem],
        *,
        namespace: str | None,
        flow_id: str | None,
        partial: ParsedFlow,
    ) -> None:
        super().__init__(problems, notes, namespace=namespace, flow_id=flow_id)
        self.partial = partial


def parse_flow(
    source: str | bytes,
    registry: Registry,
    limits: SourceLimits = DEFAULT_LIMITS,
    *,
    plugin_defaults: Sequence[Sequence[PluginDefault]] = (),
    surroundings: Surroundings | None = None,
) -> ParsedFlow:
    """Read and check one flow.

    Args:
        source: YAML, as text or as UTF-8 bytes.
        registry: where the types of tasks, triggers and conditions are found.
        limits: how large and how deep the text may be.
        plugin_defaults: defaults from outside the flow, from the innermost level to the outermost.
        surroundings: what the namespaces around the flow declare; their defaults are further in.

    Raises:
        FlowInvalid: with everything that is wrong; a FlowRefused where the flow could be read in part.
    """
    try:
        document = read_document(source, limits, is_text_of_input)
    except DocumentInvalid as invalid:
        raise FlowInvalid(invalid.problems) from None
    if not isinstance(document.value, dict):
        raise FlowInvalid([*document.problems, _no_map(document.value, document.positions)])
    namespace = _text(document.value.get("namespace"))
    around = surroundings.plugin_defaults(namespace) if surroundings is not None and namespace else ()
    levels = [*around, *plugin_defaults]
    reader = FlowReader(document.value, document.positions, registry, levels, surroundings)
    flow = reader.read()
    report = reader.report
    warnings, deprecations, infos = (report.of_severity(severity) for severity in _NOTES)
    problems = [*document.problems, *report.of_severity(Severity.ERROR)]
    read = flow or reader.partial
    parsed = None
    if read is not None:
        parsed = ParsedFlow(
            read,
            source if isinstance(source, str) else source.decode(),
            document.positions,
            warnings,
            deprecations,
            infos,
            tuple(reader.subflows()),
            document.value,
        )
    if parsed is not None and flow is not None and not problems:
        return parsed
    notes = [*warnings, *deprecations, *infos]
    flow_id = _text(document.value.get("id"))
    if parsed is None:
        raise FlowInvalid(problems, notes, namespace=namespace, flow_id=flow_id)
    raise FlowRefused(problems, notes, namespace=namespace, flow_id=flow_id, partial=parsed)


_NOTES = (Severity.WARNING, Severity.DEPRECATION, Severity.INFO)


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None


def _no_map(value: JsonValue, positions: Positions) -> Problem:
    position = positions.value(())
    kind = "an empty text" if value is None else shown_kind(value)
    words = f"Cannot deserialize value of type `java.util.LinkedHashMap` from {kind}: a flow is a map"
    return Problem(
        f"A flow is a map, not {'an empty text' if value is None else shown(value)}",
        ProblemCode.YAML_ROOT,
        line=position.line,
        column=position.column,
        constraint=f"Illegal Flow source: YAML parsing error: {words} (at line {position.line})",
    )
