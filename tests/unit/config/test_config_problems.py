"""What a user is told when a configuration is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from windhover.config import ConfigProblem, ConfigurationError, Settings, load

Loader = Callable[..., Settings]


def _problems(load_yaml: Loader, text: str, **arguments: Any) -> list[ConfigProblem]:
    with pytest.raises(ConfigurationError) as caught:
        load_yaml(text, **arguments)
    return caught.value.problems


def test_every_problem_is_told_at_once_with_its_place(load_yaml: Loader, tmp_path: Path) -> None:
    problems = _problems(
        load_yaml,
        """\
        micronaut:
          server:
            port: eighty
        kestra:
          server:
            liveness:
              timeout: soon
          storge:
            type: local
        """,
        environ={"ENDPOINTS_ALL_PORT": "x", "KESTRA_TEMPLATES_ENABLED": "perhaps"},
        strict=True,
    )

    file = tmp_path / "application.yml"
    found = {problem.key: problem for problem in problems}
    assert len(problems) == 5
    assert found["micronaut.server.port"].source == f"{file}:3:11"
    assert found["micronaut.server.port"].message == "expected a whole number, got 'eighty'"
    assert found["kestra.server.liveness.timeout"].source == f"{file}:7:16"
    assert "expected a duration" in found["kestra.server.liveness.timeout"].message
    assert found["kestra.storge"].source == f"{file}:8:3"
    assert found["kestra.storge"].suggestion == "did you mean kestra.storage?"
    assert found["endpoints.all.port"].source == "environment variable ENDPOINTS_ALL_PORT"
    assert found["kestra.templates.enabled"].message == "expected true or false, got 'perhaps'"


def test_an_unknown_key_is_a_warning_unless_strict(load_yaml: Loader) -> None:
    text = "kestra: {server: {basic-auth: {usernam: a}}}"

    [warning] = load_yaml(text).warnings
    assert warning.key == "kestra.server.basic-auth.usernam"
    assert warning.suggestion == "did you mean kestra.server.basic-auth.username?"

    assert _problems(load_yaml, text, strict=True) == [warning]
    strict_by_key = "windhover: {configuration: {strict: true}}\n" + text
    [problem] = _problems(load_yaml, strict_by_key)
    assert problem.key == warning.key


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("kestra.server.port", "micronaut.server.port"),
        ("kestra.basic-auth.username", "kestra.server.basic-auth.username"),
        ("kestra.storage.s3.acces-key", "kestra.storage.s3.access-key"),
        ("kestra.storage.tpye", "kestra.storage.type"),
        ("datasource.postgres.url", "datasources"),
        ("micronaut.server.prot", "micronaut.server.port"),
        ("datasources.postgres.max-pool-size", "datasources.postgres.maximum-pool-size"),
        ("kestra.variables.global", "kestra.variables.globals"),
    ],
)
def test_the_nearest_known_key_is_named(written: str, meant: str) -> None:
    [warning] = load([], {}, {written: "x"}).warnings

    assert warning.key == written
    assert warning.suggestion == f"did you mean {meant}?"


def test_the_frameworks_own_keys_are_no_mistakes() -> None:
    keys = ("micronaut.server.netty.worker.threads", "micronaut.server.prot", "endpoints.beans.enabled")

    settings = load([], {}, dict.fromkeys(keys, "1"), strict=True)

    assert [warning.key for warning in settings.warnings] == ["micronaut.server.prot"]


def test_a_variable_of_no_key_is_named() -> None:
    [warning] = load([], {"KESTRA_SERVER_BASIC_AUTH_USRNAME": "x"}).warnings

    assert warning.source == "environment variable KESTRA_SERVER_BASIC_AUTH_USRNAME"
    assert warning.suggestion == "did you mean KESTRA_SERVER_BASIC_AUTH_USERNAME?"


def test_a_problem_inside_a_list_names_the_item(load_yaml: Loader, tmp_path: Path) -> None:
    problems = _problems(
        load_yaml,
        """\
        kestra:
          plugins:
            defaults:
              - type: io.kestra
                forced: maybe
              - tpye: io.kestra
        """,
        strict=True,
    )

    file = tmp_path / "application.yml"
    assert {(problem.key, problem.source) for problem in problems} == {
        ("kestra.plugins.defaults[0].forced", f"{file}:5:17"),
        ("kestra.plugins.defaults[1].type", f"{file}:6:9"),
        ("kestra.plugins.defaults[1].tpye", f"{file}:6:9"),
    }


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("micronaut.server.port", "70000", "less than or equal to 65535"),
        ("micronaut.server.port", [80], "a whole number, got a list"),
        ("micronaut.server.max-request-size", "big", "a size such as"),
        ("kestra.regex.timeout", "10", "a duration such as"),
        ("kestra.regex.timeout", "0s", "greater than"),
        ("kestra.variables.globals", "text", "a mapping"),
        ("kestra.plugins.defaults", "text", "a list of mappings"),
        ("kestra.server.worker-task-restart-strategy", "SOMETIMES", "IMMEDIATELY"),
        ("kestra.repository.type", "mongodb", "one of sqlite, postgres, mysql, h2, memory"),
        ("kestra.server", "text", "a mapping of keys"),
        ("datasources.postgres.url", "oracle://host/db", "a database URL such as"),
        ("datasources.postgres.maximum-pool-size", "many", "a whole number"),
    ],
)
def test_an_ill_typed_value_is_an_error_that_says_what_was_expected(
    key: str, value: object, expected: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load([], {}, {key: value})

    [problem] = caught.value.problems
    assert problem.key == key
    assert problem.source == "command line"
    assert expected in problem.message


@pytest.mark.parametrize(
    ("text", "place", "fragment"),
    [
        ("kestra: {url: a\nother: b", ":2:", "not valid YAML"),
        ("kestra:\n  url: a\n  url: b\n", ":3:3", "written twice"),
        ("- a\n- b\n", ":1:1", "expected a mapping"),
        ("kestra: {url: !!python/object:os.system x}\n", ":1:15", "not valid YAML"),
        ("[" * 100_000, ":1:101", "nested more than 100 deep"),
        ("kestra: &a [*a]\n", ":1:9", "nested more than 100 deep"),
        (f"a: &a {[1] * 400}\nb: &b [{'*a,' * 400}]\nc: [*b]\n", ":1:", "more than 100000 values"),
    ],
)
def test_a_broken_document_is_an_error_with_its_place(
    load_yaml: Loader, text: str, place: str, fragment: str
) -> None:
    [problem] = _problems(load_yaml, text)

    assert f"application.yml{place}" in problem.source
    assert fragment in problem.message


def test_a_missing_file_and_a_broken_document_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load([tmp_path / "none.yml"], {"KESTRA_CONFIGURATION": "a: [", "MICRONAUT_SERVER_PORT": "x"})

    file, document, variable = [problem.source for problem in caught.value.problems]
    assert file == str(tmp_path / "none.yml")
    assert document.startswith("KESTRA_CONFIGURATION:")
    assert variable == "environment variable MICRONAUT_SERVER_PORT"


@pytest.mark.parametrize("text", ["", "# nothing\n", "kestra:\n", "kestra:\n  server:\n"])
def test_an_empty_document_means_the_defaults(load_yaml: Loader, text: str) -> None:
    assert load_yaml(text, strict=True).server.port == 8080


def test_rules_between_settings_are_checked() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(
            [],
            {},
            {
                "kestra.server.liveness": {"heartbeat-interval": "1m", "timeout": "30s"},
                "kestra.repository.type": "postgres",
                "kestra.queue.type": "memory",
            },
        )

    assert {problem.key for problem in caught.value.problems} == {
        "kestra.server.liveness.heartbeat-interval",
        "kestra.queue.type",
        "datasources.postgres.url",
    }


def test_an_encryption_key_that_is_none_stops_the_start_and_is_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load([], {"KESTRA_ENCRYPTION_SECRET_KEY": "change-me"})

    assert "kestra.encryption.secret-key: expected base64 of 16, 24 or 32 bytes" in str(caught.value)
    assert "change-me" not in str(caught.value)


def test_a_secret_back_end_that_is_not_there_is_a_warning() -> None:
    assert not load([], {"KESTRA_SECRET_TYPE": "jdbc"}).warnings
    [warning] = load([], {"KESTRA_SECRET_TYPE": "vault"}).warnings
    assert warning.key == "kestra.secret.type"
    assert "no secret back end vault" in str(warning)
