"""Types are found by the names that flows write, and a broken plugin does not take the others along."""

import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from windhover.core.aliases import ALIASES
from windhover.plugin.context import RunContext
from windhover.plugin.discovery import PluginPackage, module_name
from windhover.plugin.kind import PluginKind
from windhover.plugin.registry import Registry
from windhover.plugin.task import RunnableTask
from windhover.plugin.templated import templated


@pytest.fixture(scope="module")
def bundled() -> Registry:
    return Registry(discover=False)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An importable package, named after the test's folder so that no two tests share one."""
    name = f"plugins_{abs(hash(tmp_path))}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    return name


def _write(package: str, path: str, text: str) -> None:
    folder = next(Path(entry) / package for entry in sys.path if (Path(entry) / package).is_dir())
    (folder / path).write_text(text)


def _task(class_name: str, type_name: str, body: str = "") -> str:
    return f"""
from windhover.plugin.task import RunnableTask
from windhover.plugin.templated import templated

class {class_name}(RunnableTask[None]):
    type_name = "{type_name}"
    {body}
    def run(self, ctx): ...
"""


def _installed(monkeypatch: pytest.MonkeyPatch, *packages: str) -> Registry:
    monkeypatch.setattr(
        "windhover.plugin.registry.installed_packages",
        lambda report: [PluginPackage(package, report) for package in packages],
    )
    return Registry(bundled=())


def test_a_bundled_type_is_found_by_its_name(bundled: Registry) -> None:
    plugin = bundled.find("io.kestra.plugin.core.flow.If")

    assert plugin is not None
    assert plugin.kind is PluginKind.FLOWABLE
    assert plugin.cls.__name__ == "If"
    assert not plugin.is_alias


def test_an_old_name_finds_the_type_and_says_that_it_is_old(bundled: Registry) -> None:
    plugin = bundled.find("io.kestra.core.models.triggers.types.Schedule")

    assert plugin is not None
    assert plugin.is_alias
    assert plugin.type_name == "io.kestra.plugin.core.trigger.Schedule"


@pytest.mark.parametrize(
    "name",
    [
        "io.kestra.plugin.core.flow.if",
        "io.kestra.plugin.core.flow.IF",
        "io.kestra.plugin.core.Flow.If",
        "io.kestra.plugin.core.flow",
        "io.kestra.plugin.core.nope.Nope",
        "io.kestra.plugin.core.flow.if_.If",
        "io.kestra.plugin.core.trigger.ScheduleOutput",
        "If",
        "",
        ".",
        "io.kestra.plugin.core.",
        "io.kestra.plugin.core..If",
    ],
)
def test_names_are_exact(bundled: Registry, name: str) -> None:
    assert bundled.find(name) is None


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("io.kestra.plugin.core.flow.Sequental", "io.kestra.plugin.core.flow.Sequential"),
        ("io.kestra.plugin.core.flow.if", "io.kestra.plugin.core.flow.If"),
        ("Sequential", "io.kestra.plugin.core.flow.Sequential"),
        ("io.kestra.plugin.condition.Weekend", "io.kestra.plugin.core.condition.Weekend"),
        ("io.kestra.Log", "io.kestra.plugin.core.log.Log"),
        ("io.kestra.core.tasks.log.Lgo", "io.kestra.plugin.core.log.Log"),
    ],
)
def test_a_misspelled_name_is_put_right(bundled: Registry, wrong: str, right: str) -> None:
    assert bundled.suggest(wrong) == right


@pytest.mark.parametrize(
    "name",
    [
        "zzz",
        "io.kestra.plugin.jdbc.postgresql.Query",
        "io.kestra.plugin.git.Clone",
        "io.kestra.plugin.docker.Run",
    ],
)
def test_nothing_is_suggested_for_what_looks_like_nothing(bundled: Registry, name: str) -> None:
    assert bundled.suggest(name) is None


def test_types_of_a_kind_are_listed_by_name(bundled: Registry) -> None:
    triggers = [plugin.type_name for plugin in bundled.types(PluginKind.TRIGGER)]

    assert triggers == sorted(triggers)
    assert "io.kestra.plugin.core.trigger.Webhook" in triggers
    assert all(".trigger" in name or ".http." in name for name in triggers)


def test_every_bundled_type_is_found_by_its_own_name_and_aliases(bundled: Registry) -> None:
    for plugin in bundled.types():
        for name in (plugin.type_name, *getattr(plugin.cls, "aliases", ())):
            found = bundled.find(name)
            assert found is not None, name
            assert found.cls is plugin.cls, name


def test_every_bundled_class_can_be_validated_into(bundled: Registry) -> None:
    for plugin in bundled.types():
        plugin.cls.model_rebuild()
        templated(plugin.cls)


def test_the_table_of_old_names_agrees_with_the_classes(bundled: Registry) -> None:
    plugins = bundled.types()
    declared = {alias: plugin.type_name for plugin in plugins for alias in getattr(plugin.cls, "aliases", ())}
    there = {plugin.type_name for plugin in plugins}

    assert declared == {alias: name for alias, name in ALIASES.items() if name in there}


def test_finding_one_type_imports_no_other() -> None:
    code = (
        "import sys; from windhover.plugin.registry import Registry;"
        "assert Registry().find('io.kestra.plugin.core.log.Log');"
        "print([name for name in sys.modules if name.startswith('windhover.core.')])"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert printed.strip() == str(["windhover.core.aliases", "windhover.core.log", "windhover.core.log.log"])


def test_a_class_registered_by_hand_is_found_also_by_its_aliases() -> None:
    class Mine(RunnableTask[None]):
        type_name: ClassVar[str] = "my.Mine"
        aliases: ClassVar[tuple[str, ...]] = ("my.Old",)

        def run(self, ctx: RunContext) -> None: ...

    registry = Registry(discover=False)
    assert registry.find("my.Old") is None

    registry.register(Mine)

    old = registry.find("my.Old")
    assert old is not None
    assert old.type_name == "my.Mine"
    assert old.is_alias


def test_what_is_no_plugin_cannot_be_registered() -> None:
    class Nameless(RunnableTask[None]):
        def run(self, ctx: RunContext) -> None: ...

    with pytest.raises(TypeError, match="type_name"):
        Registry(discover=False).register(Nameless)


def test_the_installed_script_package_is_found_through_its_entry_point() -> None:
    plugin = Registry().find("io.kestra.plugin.scripts.shell.Commands")

    assert plugin is not None
    assert plugin.cls.__module__.startswith("windhover_scripts.")


@pytest.mark.parametrize(
    ("init", "module"),
    [
        ('PLUGIN_PREFIX = "acme."\n', "greet_all"),
        ('PLUGINS = {"acme.GreetAll": "{package}.anything:GreetAll"}\n', "anything"),
        ("", "anything"),
    ],
    ids=["by its name", "by a manifest", "by looking through the modules"],
)
def test_installed_packages_say_where_their_types_are(
    package: str, monkeypatch: pytest.MonkeyPatch, init: str, module: str
) -> None:
    _write(package, "__init__.py", init.replace("{package}", package))
    _write(package, f"{module}.py", _task("GreetAll", "acme.GreetAll"))
    registry = _installed(monkeypatch, package)

    plugin = registry.find("acme.GreetAll")

    assert plugin is not None
    assert plugin.cls.__name__ == "GreetAll"
    assert registry.find("acme.Other") is None
    assert [each.type_name for each in registry.types()] == ["acme.GreetAll"]
    assert registry.problems == ()


def test_a_broken_package_is_named_and_the_others_go_on(
    package: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _write(package, "good.py", _task("Good", "acme.Good"))
    registry = _installed(monkeypatch, "no_such_plugin_package", package)

    assert registry.find("acme.Good") is not None
    assert registry.find("acme.Nope") is None

    (problem,) = registry.problems
    assert problem.package == "no_such_plugin_package"
    assert "no_such_plugin_package" in caplog.text
    assert len(caplog.records) == 1


def test_a_broken_module_of_a_package_is_named_with_its_type(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(package, "__init__.py", 'PLUGIN_PREFIX = "acme."\n')
    _write(package, "broken.py", "import a_library_that_is_not_there\n")
    _write(package, "good.py", _task("Good", "acme.Good"))
    registry = _installed(monkeypatch, package)

    assert registry.find("acme.Broken") is None
    assert registry.find("acme.Good") is not None

    problem = registry.problem_of("acme.Broken")
    assert problem is not None
    assert "a_library_that_is_not_there" in problem.message
    assert [plugin.type_name for plugin in registry.types()] == ["acme.Good"]


def test_a_class_whose_fields_make_no_sense_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(package, "__init__.py", 'PLUGIN_PREFIX = "acme."\n')
    _write(package, "odd.py", _task("Odd", "acme.Odd", 'size: "NoSuchType"'))
    registry = _installed(monkeypatch, package)

    assert registry.find("acme.Odd") is None
    problem = registry.problem_of("acme.Odd")
    assert problem is not None
    assert "NoSuchType" in problem.message


def test_a_class_imported_from_elsewhere_is_not_found_twice(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(package, "__init__.py", 'PLUGIN_PREFIX = "acme."\n')
    _write(package, "good.py", _task("Good", "acme.Good"))
    _write(package, "better.py", f"from {package}.good import Good\n" + _task("Better", "acme.Better"))
    registry = _installed(monkeypatch, package)

    assert registry.find("acme.Better$Good") is None
    assert [plugin.type_name for plugin in registry.types()] == ["acme.Better", "acme.Good"]


@pytest.mark.parametrize(
    ("class_name", "module"),
    [
        ("Log", "log"),
        ("ForEachItem", "for_each_item"),
        ("PurgeKV", "purge_kv"),
        ("KPI", "kpi"),
        ("SseRequest", "sse_request"),
        ("OAuth2Token", "o_auth2_token"),
        ("If", "if_"),
        ("Return", "return_"),
    ],
)
def test_modules_are_named_after_their_classes(class_name: str, module: str) -> None:
    assert module_name(class_name) == module
