"""Where plugin classes are: in a package, under names from which their module follows.

A plugin package says in its ``__init__`` how its types are found, in one of three ways:

* ``PLUGIN_PREFIX = "com.acme."``: the module follows from the name. ``com.acme.mail.SendAll`` is class
  ``SendAll`` in module ``mail.send_all`` of the package (``mail.if_`` for a class ``If``: a keyword is
  no module's name). ``PLUGIN_ALIASES`` maps old names to names.
* ``PLUGINS = {"com.acme.mail.SendAll": "acme.sending:SendAll"}``: a manifest, aliases included.
* neither: all modules are imported when a type is looked for that nobody else knows.
"""

from __future__ import annotations

import importlib
import keyword
import re
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import TypeGuard

from pydantic import BaseModel

#: The entry-point group in which plugin packages announce themselves.
ENTRY_POINT_GROUP = "windhover.plugins"

#: The packages of the types that come with the server: one for each prefix of their names.
BUNDLED_PACKAGES = ("windhover.core", "windhover.core.kestra")

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class PluginLoadError(Exception):
    """A plugin package, or one of its modules, cannot be imported."""

    def __init__(self, package: str, cause: Exception, type_name: str | None = None) -> None:
        what = f"Plugin package '{package}'" if type_name is None else f"Plugin '{type_name}' of '{package}'"
        super().__init__(f"{what} cannot be loaded: {type(cause).__name__}: {cause}")
        self.package = package
        self.cause = cause
        self.type_name = type_name


def installed_packages(report: Callable[[PluginLoadError], None]) -> list[PluginPackage]:
    """The plugin packages that are installed in this Python environment, sorted by name."""
    from importlib.metadata import entry_points

    values = sorted({point.value for point in entry_points(group=ENTRY_POINT_GROUP)})
    return [PluginPackage(value.partition(":")[0].strip(), report) for value in values]


class PluginPackage:
    """One package of plugin types; imported at the first question.

    What cannot be imported is given to ``report`` and left out; without ``report`` it is raised.
    """

    def __init__(self, name: str, report: Callable[[PluginLoadError], None] | None = None) -> None:
        self.name = name
        self._report = report
        self._module: ModuleType | None = None
        self._broken = False
        self._walked: dict[str, type[BaseModel]] | None = None

    def locate(self, type_name: str) -> type[BaseModel] | None:
        """The class of this name or alias, or None when the package has none.

        Raises:
            PluginLoadError: the package, or the module of the class, cannot be imported (see the class).
        """
        module = self._load()
        manifest: Mapping[str, str] | None = getattr(module, "PLUGINS", None)
        prefix: str | None = getattr(module, "PLUGIN_PREFIX", None)
        if manifest is not None:
            place = manifest.get(type_name)
            return None if place is None else self._import_class(place, type_name)
        if prefix is not None:
            aliases: Mapping[str, str] = getattr(module, "PLUGIN_ALIASES", {})
            canonical = aliases.get(type_name, type_name)
            if not canonical.startswith(prefix):
                return None
            cls = self._import_class(self._place(canonical.removeprefix(prefix)), type_name)
            return cls if cls is not None and _names(cls)[0] == canonical else None
        return self._walk().get(type_name)

    def classes(self) -> Iterator[type[BaseModel]]:
        """All plugin classes of the package, each once.

        Raises:
            PluginLoadError: something cannot be imported (see the class).
        """
        manifest: Mapping[str, str] | None = getattr(self._load(), "PLUGINS", None)
        if manifest is None:
            found = list(self._walk().values())
        else:
            located = (self._import_class(place, name) for name, place in manifest.items())
            found = [cls for cls in located if cls is not None]
        yield from dict.fromkeys(found)

    def _load(self) -> ModuleType | None:
        if self._module is None and not self._broken:
            try:
                self._module = importlib.import_module(self.name)
            except Exception as cause:  # whatever a foreign package raises while it is imported
                self._broken = self._report is not None
                self._fail(PluginLoadError(self.name, cause))
        return self._module

    def _place(self, relative_name: str) -> str:
        *folders, simple = relative_name.split(".")
        outer, _, inner = simple.partition("$")
        return f"{'.'.join([self.name, *folders, module_name(outer)])}:{inner or outer}"

    def _import_class(self, place: str, type_name: str) -> type[BaseModel] | None:
        module_path, _, class_name = place.partition(":")
        try:
            module = importlib.import_module(module_path)
        except Exception as cause:  # as above
            if not (isinstance(cause, ModuleNotFoundError) and _is_absent(module_path, cause, self.name)):
                self._fail(PluginLoadError(self.name, cause, type_name))
            return None
        cls = getattr(module, class_name, None)
        return cls if _is_plugin(cls) and self._is_sound(cls) else None

    def _is_sound(self, cls: type[BaseModel]) -> bool:
        """The types of the fields make sense; bundled classes are known to be sound."""
        if self._report is None:
            return True
        try:
            cls.model_rebuild()
        except Exception as cause:  # as above
            self._fail(PluginLoadError(self.name, cause, _names(cls)[0]))
            return False
        return True

    def _walk(self) -> Mapping[str, type[BaseModel]]:
        if self._walked is None:
            self._walked = {
                name: cls
                for module in self._all_modules()
                for cls in vars(module).values()
                if _is_plugin(cls) and cls.__module__ == module.__name__ and self._is_sound(cls)
                for name in _names(cls)
            }
        return self._walked

    def _all_modules(self) -> Iterator[ModuleType]:
        import pkgutil

        package = self._load()
        if package is None:
            return
        yield package
        path = getattr(package, "__path__", ())
        for info in pkgutil.walk_packages(path, f"{self.name}.", onerror=lambda _: None):
            try:
                yield importlib.import_module(info.name)
            except Exception as cause:  # as above
                self._fail(PluginLoadError(info.name, cause))

    def _fail(self, error: PluginLoadError) -> None:
        if self._report is None:
            raise error from error.cause
        self._report(error)


def module_name(class_name: str) -> str:
    """The module that holds a class: its name in snake_case, ``_`` appended to a keyword.

    >>> module_name("PurgeKV"), module_name("SseRequest"), module_name("If")
    ('purge_kv', 'sse_request', 'if_')
    """
    name = _WORD_START.sub("_", class_name).lower()
    return f"{name}_" if keyword.iskeyword(name) else name


def _names(cls: type[BaseModel]) -> tuple[str, ...]:
    return (cls.__dict__["type_name"], *getattr(cls, "aliases", ()))


def _is_plugin(value: object) -> TypeGuard[type[BaseModel]]:
    return (
        isinstance(value, type)
        and isinstance(value.__dict__.get("type_name"), str)
        and getattr(value, "plugin_kind", None) is not None
    )


def _is_absent(module_path: str, cause: ModuleNotFoundError, package: str) -> bool:
    """The module itself (or a folder on its way) does not exist, rather than something it imports."""
    missing = cause.name or ""
    inside = missing.startswith(f"{package}.")
    return inside and (missing == module_path or module_path.startswith(f"{missing}."))
