"""Inputs as a graph: who depends on whom, in which order they are resolved, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from windhover.model.inputs import FlowOutput, FormInput, Input, InputBase


class FlatInput(msgspec.Struct, frozen=True):
    """An input under its full id. ``form`` is the id of the form around it."""

    id: str
    definition: InputBase
    form: str | None
    dependencies: tuple[str, ...]


def flatten(inputs: Sequence[Input]) -> dict[str, FlatInput]:
    """All inputs by full id, forms before their members, in the order they are written.

    ``dependencies`` holds the declared ones only.
    """
    found = {id: (definition, form) for id, definition, form in _members(inputs)}
    flat: dict[str, FlatInput] = {}
    for id, (definition, form) in found.items():
        wanted = definition.depends_on.inputs if definition.depends_on else ()
        flat[id] = FlatInput(id, definition, form, tuple(name for name in wanted if name in found))
    return flat


def dependency_order(declared: Mapping[str, FlatInput]) -> list[FlatInput]:
    """Inputs after those they depend on, otherwise as written. Of a circle, the first comes last."""
    ordered: dict[str, FlatInput] = {}
    for start in declared:
        entered = {start}
        stack = [(start, iter(_before(declared[start])))]
        while stack:
            name, rest = stack[-1]
            following = next((one for one in rest if one not in ordered and one not in entered), None)
            if following is None:
                ordered[name] = declared[name]
                stack.pop()
            else:
                entered.add(following)
                stack.append((following, iter(_before(declared[following]))))
    return list(ordered.values())


def input_problems(inputs: Sequence[Input]) -> list[str]:
    """What is wrong between the inputs of a flow, in the words of ``Invalid Flow: …``."""
    problems = _duplicates("input", [input.id for input in inputs])
    for input in inputs:
        if isinstance(input, FormInput):
            problems += _duplicates("input", [f"{input.id}.{member.id}" for member in input.inputs])
    declared = flatten(inputs)
    for flat in declared.values():
        wanted = flat.definition.depends_on.inputs if flat.definition.depends_on else ()
        problems += [
            f"Input with id '{flat.id}' depends on a non-existent input '{name}'."
            for name in wanted
            if name not in declared
        ]
        circle = _circle(flat, declared)
        if circle:
            problems.append(f"Cycle dependency detected for input with id '{flat.id}': [{', '.join(circle)}]")
    return problems


def output_problems(outputs: Sequence[FlowOutput]) -> list[str]:
    """What is wrong between the outputs of a flow, in the words of ``Invalid Flow: …``."""
    return _duplicates("output", [output.id for output in outputs])


def _members(inputs: Sequence[Input]) -> Iterator[tuple[str, InputBase, str | None]]:
    for input in inputs:
        yield input.id, input, None
        if isinstance(input, FormInput):
            for member in input.inputs:
                yield f"{input.id}.{member.id}", member, input.id


def _before(flat: FlatInput) -> tuple[str, ...]:
    return flat.dependencies if flat.form is None else (flat.form, *flat.dependencies)


def _circle(start: FlatInput, declared: Mapping[str, FlatInput]) -> list[str]:
    """The ids of the first circle that following the dependencies of ``start`` runs into."""
    path = [start.id]
    stack = [iter(_before(start))]
    finished: set[str] = set()
    while stack:
        following = next((one for one in stack[-1] if one not in finished), None)
        if following is None:
            stack.pop()
            finished.add(path.pop())
        elif following in path:
            return path[path.index(following) :]
        else:
            path.append(following)
            stack.append(iter(_before(declared[following])))
    return []


def _duplicates(kind: str, ids: Sequence[str]) -> list[str]:
    repeated = sorted({id for id in ids if ids.count(id) > 1})
    return [f"Duplicate {kind} with name [{', '.join(repeated)}]"] if repeated else []
