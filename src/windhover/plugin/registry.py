"""Finds the class of a plugin type by the name that a flow writes.

Nothing is imported before it is asked for: a server that runs two task types loads two modules. The
bundled types come first; installed plugin packages are looked at when a name is none of those.

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import msgspec
from pydantic import BaseModel

from windhover.plugin.discovery import (
    BUNDLED_PACKAGES,
    PluginLoadError,
    PluginPackage,
    installed_packages,
)
from windhover.plugin.kind import PluginKind
from windhover.util.nearest import nearest


class PluginType(msgspec.Struct, frozen=True):
    """A type that flows can name.

    ``type_name`` is the canonical name, ``requested`` the one that was looked up (an alias, perhaps).
    """

    type_name: str
    kind: PluginKind
    cls: type[BaseModel]
    requested: str
    deprecated: bool = False

    @property
    def is_alias(self) -> bool:
        """The type was asked for by an old name."""
        return self.requested != self.type_name


class PluginProblem(msgspec.Struct, frozen=True):
    """A plugin package, or one type in it, that could not be loaded; ``message`` says why."""

    package: str
    message: str
    type_name: str | None = None


class Registry:
    """All plugin types of this process. Safe to use from several threads."""

    def __init__(self, *, bundled: Sequence[str] = BUNDLED_PACKAGES, discover: bool = True) -> None:
        """Make an empty registry.

        Args:
            bundled: the packages of the types that come with the server.
            discover: look for installed plugin packages.
        """
        self._lock = threading.RLock()
        self._found: dict[str, PluginType | None] = {}
        self._registered: dict[str, type[BaseModel]] = {}
        self._bundled = [PluginPackage(name) for name in bundled]
        self._discover = discover
        self._installed: list[PluginPackage] | None = None
        self._problems: dict[tuple[str, str | None], PluginProblem] = {}

    def find(self, type_name: str) -> PluginType | None:
        """The type of this name or alias (case-sensitive), or None when there is none."""
        try:
            return self._found[type_name]
        except KeyError:
            pass
        with self._lock:
            cls = self._registered.get(type_name) or self._locate(type_name)
            found = None if cls is None else describe(cls, requested=type_name)
            self._found[type_name] = found
            return found

    def suggest(self, type_name: str) -> str | None:
        """The known type whose name looks most like this one, for a "did you mean" hint.

        A name whose last part alone is given (``Log``, ``io.kestra.Log``) is completed. What nearly all names
        begin with does not make two of them alike.
        """
        names = {_distinctive(plugin.type_name): plugin.type_name for plugin in self.types()}
        wanted = _distinctive(type_name)
        same = [short for short in names if short.rpartition(".")[2] == wanted.rpartition(".")[2]]
        found = nearest(wanted, same) or nearest(wanted, names)
        if found is None and same and "." not in wanted:
            found = same[0]
        return names[found] if found else None

    def types(self, kind: PluginKind | None = None) -> tuple[PluginType, ...]:
        """Every type, sorted by name. Imports all plugin modules: for listings, not for running flows."""
        with self._lock:
            classes = {cls.type_name: cls for cls in self._all_classes()}  # type: ignore[attr-defined]
            plugins = (describe(cls, requested=name) for name, cls in sorted(classes.items()))
            return tuple(plugin for plugin in plugins if kind is None or plugin.kind is kind)

    def register(self, cls: type[BaseModel]) -> PluginType:
        """Add a class by hand, under its name and aliases; it goes before a class of the same name elsewhere.

        Raises:
            TypeError: the class has no ``type_name`` or is of no known kind.
        """
        plugin = describe(cls, requested=getattr(cls, "type_name", ""))
        with self._lock:
            for name in (plugin.type_name, *getattr(cls, "aliases", ())):
                self._registered[name] = cls
            self._found.clear()
        return plugin

    @property
    def problems(self) -> tuple[PluginProblem, ...]:
        """What could not be loaded so far."""
        with self._lock:
            return tuple(self._problems.values())

    def problem_of(self, type_name: str) -> PluginProblem | None:
        """Why a type that an installed package declares could not be loaded."""
        return next((problem for problem in self.problems if problem.type_name == type_name), None)

    def _locate(self, type_name: str) -> type[BaseModel] | None:
        for package in self._bundled:
            if (cls := package.locate(type_name)) is not None:
                return cls
        for package in self._installed_packages():
            if (cls := package.locate(type_name)) is not None:
                return cls
        return None

    def _all_classes(self) -> Iterator[type[BaseModel]]:
        for package in self._installed_packages():
            yield from package.classes()
        for package in self._bundled:
            yield from package.classes()
        yield from self._registered.values()

    def _installed_packages(self) -> list[PluginPackage]:
        if self._installed is None:
            self._installed = installed_packages(self._report) if self._discover else []
        return self._installed

    def _report(self, error: PluginLoadError) -> None:
        key = (error.package, error.type_name)
        if key in self._problems:
            return
        import logging

        self._problems[key] = PluginProblem(error.package, str(error), error.type_name)
        logging.getLogger(__name__).error("%s", error)


def _distinctive(type_name: str) -> str:
    """A type's name in lower case, without the packages that nearly all names begin with."""
    return type_name.lower().removeprefix("io.kestra.").removeprefix("plugin.")


def describe(cls: type[BaseModel], *, requested: str) -> PluginType:
    """The type that a class stands for.

    Raises:
        TypeError: the class has no ``type_name`` or is of no known kind.
    """
    type_name = cls.__dict__.get("type_name")
    kind = getattr(cls, "plugin_kind", None)
    if not isinstance(type_name, str) or not isinstance(kind, PluginKind):
        raise TypeError(
            f"{cls.__module__}.{cls.__qualname__} is no plugin: it needs a kind and a `type_name`"
        )
    return PluginType(type_name, kind, cls, requested, bool(getattr(cls, "deprecated", False)))


_shared: Registry | None = None
_shared_lock = threading.Lock()


def shared_registry() -> Registry:
    """The registry of this process, made at the first call."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Registry()
        return _shared
