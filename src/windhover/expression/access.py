"""Reading variables and their members: maps by key, lists by index, and a few properties of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from windhover.expression.errors import UndefinedError
from windhover.expression.nodes import Literal, Member, Node, Variable
from windhover.expression.scope import Frame
from windhover.expression.values import Secret, is_integer, is_list, is_map, to_string

Evaluate = Callable[[Frame], object]

_ABSENT = object()


def lookup(container: object, key: object) -> object:
    """The member of a map or list, or else what Java calls a property of a value, such as ``name.length``.

    Raises LookupError if there is none.
    """
    if is_map(container) and (isinstance(key, str | int | float) or key is None):
        if key in container:
            return container[key]
        text = to_string(key)
        if text in container:
            return container[text]
    if is_list(container):
        if isinstance(key, str) and key.isascii() and key.isdigit():
            key = int(key)
        if is_integer(key) and 0 <= key < len(container):
            return container[key]
    if container is not None and isinstance(key, str):
        from windhover.expression.methods import find_property

        value_of = find_property(container, key)
        if value_of is not None:
            return value_of(container)
    raise LookupError(key)


def _undefined(source: str, node: Node, name: object, container: object) -> UndefinedError:
    candidates = container if is_map(container) else ()
    place = node.position
    of_json_text = isinstance(container, str) and container.lstrip()[:1] in ("{", "[")
    return UndefinedError(
        to_string(name), source, place.line, place.column, candidates, of_json_text=of_json_text
    )


def compile_variable(source: str, root: Variable, members: Sequence[Member], bound: bool) -> Evaluate:
    """A variable and its members with constant names, such as ``outputs.extract.uri``.

    ``bound`` says that the template itself may bind the name.
    """
    name = root.name
    keys = tuple(str(member.key.value) for member in members if isinstance(member.key, Literal))

    def find_root(frame: Frame) -> object:
        value = frame.locals.get(name, _ABSENT)
        if value is not _ABSENT:
            return value
        try:
            return frame.variables[name]
        except KeyError:
            pass
        if name == "_context":
            return frame.visible()
        raise _undefined(source, root, name, frame.visible())

    def walk(frame: Frame) -> object:
        """Every step checked: for all that the fast paths below do not understand."""
        value = find_root(frame)
        for member, key in zip(members, keys, strict=True):
            try:
                value = lookup(value, key)
            except LookupError:
                raise _undefined(source, member, key, value) from None
        if isinstance(value, Secret):
            frame.scope.secrets.add(str(value))
        return value

    if bound:
        return _bound_variable(name, keys, walk)

    if len(keys) == 0:

        def read_root(frame: Frame) -> object:
            try:
                value = frame.variables[name]
            except KeyError:
                return walk(frame)
            if value.__class__ is Secret:
                return walk(frame)
            return value

        return read_root

    if len(keys) == 1:
        (only,) = keys

        def read_member(frame: Frame) -> object:
            try:
                value = frame.variables[name][only]  # type: ignore[index]
            except (LookupError, TypeError):
                return walk(frame)
            if value.__class__ is Secret:
                return walk(frame)
            return value

        return read_member

    def read(frame: Frame) -> object:
        try:
            value = frame.variables[name]
            for key in keys:
                value = value[key]  # type: ignore[index]
        except (LookupError, TypeError):
            return walk(frame)
        if value.__class__ is Secret:
            return walk(frame)
        return value

    return read


def _bound_variable(name: str, keys: Sequence[str], walk: Evaluate) -> Evaluate:
    if len(keys) == 0:

        def read_local(frame: Frame) -> object:
            value = frame.locals.get(name, _ABSENT)
            return walk(frame) if value is _ABSENT or value.__class__ is Secret else value

        return read_local

    if len(keys) == 1:
        (only,) = keys

        def read_local_member(frame: Frame) -> object:
            try:
                value = frame.locals[name][only]  # type: ignore[index]
            except (LookupError, TypeError):
                return walk(frame)
            return walk(frame) if value.__class__ is Secret else value

        return read_local_member

    def read(frame: Frame) -> object:
        try:
            value = frame.locals[name]
            for key in keys:
                value = value[key]  # type: ignore[index]
        except (LookupError, TypeError):
            return walk(frame)
        return walk(frame) if value.__class__ is Secret else value

    return read


def compile_member(source: str, target: Evaluate, key: Evaluate, node: Member) -> Evaluate:
    """A member whose key, or whose target, is only known when rendering."""

    def read(frame: Frame) -> object:
        container = target(frame)
        name = key(frame)
        if container.__class__ is dict and name.__class__ is str:
            value = container.get(name, _ABSENT)
            if value is _ABSENT:
                raise _undefined(source, node, name, container)
        else:
            try:
                value = lookup(container, name)
            except LookupError:
                raise _undefined(source, node, name, container) from None
        if isinstance(value, Secret):
            frame.scope.secrets.add(str(value))
        return value

    return read
