"""Sources of flows as requests bring them: several documents in one text, checked one by one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence

from windhover.engine.expression_check import CODES, child_output_warnings
from windhover.model.problem import FlowInvalid, Problem, Severity
from windhover.plugin.parsing import FlowRefused, ParsedFlow
from windhover.repository.flow_definitions import FlowNotFound, FlowUnreadable
from windhover.webserver.errors import detail_of
from windhover.webserver.services import WebServices
from windhover.webserver.wire.flows import ValidationJson

_SEPARATOR = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)
_ID = re.compile(r"^id:[ \t]*[\"']?([^\"'\s#]+)", re.MULTILINE)
_NAMESPACE = re.compile(r"^namespace:[ \t]*[\"']?([^\"'\s#]+)", re.MULTILINE)


def documents(text: str) -> list[str]:
    """The documents of a YAML text, each byte for byte; those without content are left out."""
    return [document for document in _documents(text) if _has_content(document)] or [text]


def _documents(text: str) -> Iterator[str]:
    start = 0
    for separator in _SEPARATOR.finditer(text):
        yield text[start : separator.start()]
        start = min(separator.end() + 1, len(text))
    yield text[start:]


def _has_content(document: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in document.splitlines())


async def parse(services: WebServices, source: str) -> ParsedFlow:
    """Read and check a flow without holding up other requests.

    Raises:
        FlowInvalid: with everything that is wrong.
    """
    return await asyncio.to_thread(services.definitions.parse, source)


async def validate(services: WebServices, tenant: str, index: int, source: str) -> ValidationJson:
    """What is to be said of one document."""
    try:
        parsed = await parse(services, source)
    except FlowInvalid as error:
        of_children: Sequence[Problem] = ()
        if isinstance(error, FlowRefused):
            declared = await _declared_outputs(services, tenant, error.partial)
            of_children = child_output_warnings(error.partial, declared)
        return ValidationJson(
            index=index,
            outdated=False,
            deprecation_paths=[note.path for note in error.notes if note.severity is Severity.DEPRECATION],
            warnings=[str(note) for note in (*error.notes, *of_children) if note.code in CODES],
            infos=[note.message for note in error.notes if note.severity is Severity.INFO],
            flow=_first(_ID, source),
            namespace=_first(_NAMESPACE, source),
            constraints=error.constraints,
            errors=list(map(detail_of, error.problems)),
        )
    flow = parsed.flow
    children = await _declared_outputs(services, tenant, parsed)
    latest = await services.flows.get(tenant, flow.namespace, flow.id, allow_deleted=True)
    following = 1 if latest is None else latest.revision + 1
    return ValidationJson(
        index=index,
        outdated=flow.revision is not None and flow.revision != following,
        deprecation_paths=[problem.path for problem in parsed.deprecations],
        warnings=[
            *map(_warning, parsed.warnings),
            *map(str, child_output_warnings(parsed, children)),
            *await _missing(services, tenant, parsed),
        ],
        infos=[problem.message for problem in parsed.infos],
        flow=flow.id,
        namespace=flow.namespace,
    )


def _warning(problem: Problem) -> str:
    """A warning in one line; for one about an expression, with its place and what was probably meant."""
    return str(problem) if problem.code in CODES else problem.message


async def _declared_outputs(
    services: WebServices, tenant: str, parsed: ParsedFlow
) -> dict[str, frozenset[str]]:
    """The ids of the outputs that subflows declare, by the task that starts them, where they are known."""
    declared = {}
    for called in parsed.subflows:
        try:
            child = await services.definitions.get(tenant, called.namespace, called.flow_id, called.revision)
        except (FlowNotFound, FlowUnreadable):
            continue
        declared[called.task_id] = frozenset(output.id for output in child.outputs)
    return declared


async def _missing(services: WebServices, tenant: str, parsed: ParsedFlow) -> list[str]:
    """Subflows that are called and do not exist."""
    found = [
        called.missing().message
        for called in parsed.subflows
        if await services.flows.get(tenant, called.namespace, called.flow_id, called.revision) is None
    ]
    return list(dict.fromkeys(found))


def _first(pattern: re.Pattern[str], source: str) -> str | None:
    match = pattern.search(source)
    return match.group(1) if match else None
