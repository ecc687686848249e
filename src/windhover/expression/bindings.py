"""Names that a template binds itself: by loops, ``set`` tags and macros."""

from __future__ import annotations

from windhover.expression.nodes import Block, Body, FilterBlock, For, If, Macro, Set


def find_bindings(body: Body) -> Bindings:
    """The names and macros of a template."""
    bindings = Bindings()
    bindings.visit(body)
    return bindings


class Bindings:
    """Names that a template binds itself, and its macros, wherever they stand in it."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.macros: dict[str, Macro] = {}

    def visit(self, body: Body) -> None:
        for statement in body.statements:
            match statement:
                case If(branches=branches, otherwise=otherwise):
                    for _, branch in branches:
                        self.visit(branch)
                    if otherwise:
                        self.visit(otherwise)
                case For(target=target, body=inner, otherwise=otherwise):
                    self.names |= {target, "loop"}
                    self.visit(inner)
                    if otherwise:
                        self.visit(otherwise)
                case Set(name=name):
                    self.names.add(name)
                case Macro(name=name, parameters=parameters, body=inner):
                    self.macros[name] = statement
                    self.names.update(parameter for parameter, _ in parameters)
                    self.visit(inner)
                case Block(body=inner) | FilterBlock(body=inner):
                    self.visit(inner)
                case _:
                    pass


def set_names(body: Body) -> set[str]:
    """Names that the ``set`` tags of a loop's body bind, nested loops apart."""
    names: set[str] = set()
    for statement in body.statements:
        match statement:
            case Set(name=name):
                names.add(name)
            case If(branches=branches, otherwise=otherwise):
                for _, branch in branches:
                    names |= set_names(branch)
                names |= set_names(otherwise) if otherwise else set()
            case Block(body=inner) | FilterBlock(body=inner):
                names |= set_names(inner)
            case _:
                pass
    return names
