"""Where values come from, which wins, and which spellings are one key."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from windhover.config import (
    BackendType,
    ConfigProblem,
    ConfigurationError,
    Settings,
    default_config_paths,
    load,
)
from windhover.config.environment import read_environment
from windhover.config.loading import vocabulary
from windhover.config.tree import MapNode, Origin, find, from_python
from windhover.config.vocabulary import Findings

Loader = Callable[..., Settings]

COMPOSE = """
datasources:
  postgres:
    url: jdbc:postgresql://postgres:5432/kestra
    driver-class-name: org.postgresql.Driver
    username: kestra
    password: k3str4
kestra:
  server:
    basic-auth:
      username: "admin@example.org"
      password: Admin1234
  repository:
    type: postgres
  storage:
    type: local
    local:
      base-path: "/app/storage"
  queue:
    type: postgres
  tasks:
    tmp-dir:
      path: /tmp/kestra-wd/tmp
  url: http://localhost:8080/
"""


def test_the_documented_compose_block_loads_without_a_word() -> None:
    settings = load([], {"KESTRA_CONFIGURATION": COMPOSE}, strict=True)

    assert settings.warnings == ()
    assert settings.repository.type is BackendType.POSTGRES
    assert settings.queue_backend is BackendType.POSTGRES
    assert settings.server.basic_auth.username == "admin@example.org"
    assert settings.storage_path == Path("/app/storage")
    assert settings.worker.tmp_dir == "/tmp/kestra-wd/tmp"
    assert settings.url == "http://localhost:8080/"
    assert settings.database.url() == "postgresql://kestra:k3str4@postgres:5432/kestra"


def test_nothing_configured_is_a_working_embedded_server() -> None:
    settings = load([], {"WINDHOVER_HOME": "/srv/windhover"})

    assert (settings.server.port, settings.management.port) == (8080, 8081)
    assert settings.database.path == Path("/srv/windhover/data/windhover.db")
    assert settings.storage_path == Path("/srv/windhover/storage")
    assert settings.server.termination_grace_period == timedelta(minutes=5)
    assert settings.worker.threads >= 8
    assert settings.warnings == ()


def test_the_home_folder_follows_the_environment() -> None:
    assert load([], {"HOME": "/home/kes"}).database.path == Path("/home/kes/.windhover/data/windhover.db")


def test_sources_from_weakest_to_strongest(tmp_path: Path) -> None:
    base, site = tmp_path / "base.yml", tmp_path / "site.yml"
    base.write_text("micronaut: {server: {port: 1, host: base, context-path: /base}}\nkestra: {url: base}\n")
    site.write_text("micronaut: {server: {port: 2, host: site}}\n")
    environ = {
        "KESTRA_CONFIGURATION": "micronaut: {server: {port: 3}}\nkestra: {environment: {name: document}}",
        "WINDHOVER_CONFIGURATION": "kestra: {environment: {name: product, color: red}}",
        "KESTRA_ENVIRONMENT_NAME": "variable",
        "MICRONAUT_SERVER_PORT": "4",
    }

    settings = load([base, site], environ, {"kestra.environment.name": "option"})

    assert settings.server.port == 4
    assert settings.server.host == "site"
    assert settings.server.context_path == "/base"
    assert settings.web.environment_name == "option"
    assert settings.web.environment_color == "red"
    assert settings.files == (base, site)


def test_home_files_are_read_when_none_is_named(tmp_path: Path) -> None:
    for folder, port in ((".kestra", 1), (".windhover", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "config.yml").write_text(f"micronaut.server.port: {port}")

    paths = default_config_paths({"HOME": str(tmp_path)})

    assert [path.parent.name for path in paths] == [".kestra", ".windhover"]
    assert load(environ={"HOME": str(tmp_path)}).server.port == 2


def test_windhover_root_wins_over_kestra_in_whatever_order(load_yaml: Loader) -> None:
    settings = load_yaml(
        """
        windhover: {url: https://new.example/, limits: {maxFlowSource: 2MB}}
        kestra: {url: https://old.example/, environment: {name: kept}}
        """
    )

    assert settings.url == "https://new.example/"
    assert settings.web.environment_name == "kept"
    assert settings.limits.max_flow_source == 2 * 1024 * 1024


@pytest.mark.parametrize(
    "text",
    [
        "kestra: {storage: {local: {base-path: /data}}}",
        "kestra: {storage: {local: {basePath: /data}}}",
        "kestra: {storage: {local: {base_path: /data}}}",
        "kestra.storage.local.base-path: /data",
        "kestra: {storage.local: {BASE_PATH: /data}}",
        "windhover.storage: {local.basePath: /data}",
    ],
)
def test_every_spelling_is_the_same_key(load_yaml: Loader, text: str) -> None:
    settings = load_yaml(text, strict=True)

    assert settings.storage_path == Path("/data")
    assert settings.raw_section("kestra.storage.local") == {"base-path": "/data"}


@pytest.mark.parametrize(
    ("variable", "value", "path"),
    [
        ("KESTRA_SERVER_BASIC_AUTH_USERNAME", "a@b.c", "kestra.server.basic-auth.username"),
        ("WINDHOVER_SERVER_BASIC_AUTH_USERNAME", "a@b.c", "kestra.server.basic-auth.username"),
        ("KESTRA_SERVER_BASICAUTH_USERNAME", "a@b.c", "kestra.server.basic-auth.username"),
        ("KESTRA_STORAGE_S3_ACCESS_KEY", "k", "kestra.storage.s3.access-key"),
        ("KESTRA_STORAGE_MINIO_PORT", "9000", "kestra.storage.minio.port"),
        ("KESTRA_SECRET_AWS_SECRET_MANAGER_REGION", "eu", "kestra.secret.aws-secret-manager.region"),
        ("DATASOURCES_POSTGRES_MAXIMUM_POOL_SIZE", "20", "datasources.postgres.maximum-pool-size"),
        ("DATASOURCES_MY_DB_USERNAME", "u", "datasources.my-db.username"),
        ("KESTRA_VARIABLES_GLOBALS_MY_REGION", "eu", "kestra.variables.globals.my_region"),
        ("KESTRA_URL", "http://x/", "kestra.url"),
        ("ENDPOINTS_ALL_BASIC_AUTH_USERNAME", "u", "endpoints.all.basic-auth.username"),
    ],
)
def test_a_variable_names_a_key(variable: str, value: str, path: str) -> None:
    settings = load([], {variable: value}, strict=True)

    section, _, key = path.rpartition(".")
    assert settings.raw_section(section)[key] == value


def test_a_variable_overrides_the_users_own_key_as_the_file_spells_it(
    load_yaml: Loader,
) -> None:
    settings = load_yaml(
        "kestra: {variables: {globals: {myRegion: eu, other: 1}}}",
        {"KESTRA_VARIABLES_GLOBALS_MY_REGION": "us"},
    )

    assert settings.variables.globals == {"myRegion": "us", "other": 1}


def test_windhover_variable_wins_over_kestra_variable() -> None:
    settings = load([], {"WINDHOVER_URL": "https://new/", "KESTRA_URL": "https://old/"})

    assert settings.url == "https://new/"


def test_the_environment_of_a_container_is_not_taken_for_settings() -> None:
    environ = {
        "KESTRA_SERVICE_HOST": "10.0.0.1",
        "KESTRA_SERVICE_PORT_HTTP": "8080",
        "KESTRA_PORT": "tcp://10.0.0.1:8080",
        "KESTRA_PORT_8080_TCP_ADDR": "10.0.0.1",
        "KESTRA_PLUGINS_PATH": "/app/plugins",
        "KESTRA_JAVA_OPTS": "-Xmx1g",
        "MICRONAUT_ENVIRONMENTS": "cli",
        "OTEL_SERVICE_NAME": "x",
        "JAVA_OPTS": "-Duser.timezone=UTC",
    }

    assert load([], environ, strict=True).warnings == ()


def test_overrides_may_be_nested_and_typed() -> None:
    settings = load([], {}, {"micronaut": {"server": {"port": 0}}, "windhover.worker.threads": 128})

    assert settings.server.port == 0
    assert settings.worker.threads == 128


def test_placeholders_take_variables_defaults_and_other_keys(load_yaml: Loader) -> None:
    settings = load_yaml(
        """
        kestra:
          url: https://${HOST:localhost}:${PORT:8080}/
          server:
            basic-auth: {username: "${ADMIN}", password: "${PW:${FALLBACK:none}}"}
          variables:
            globals:
              empty: "[${NOT_SET:}]"
              quoted: "${NOT_SET:`http://host:1`}"
              list: ["${ADMIN}", plain]
          environment: {name: "${KESTRA_ENVIRONMENT_COLOR:}"}
        tasks:
          sdk:
            authentication:
              username: ${kestra.server.basicAuth.username}
              password: ${kestra.server.basic-auth.password}
        """,
        {"HOST": "flows.example", "ADMIN": "admin@example.org", "FALLBACK": "from-fallback"},
    )

    assert settings.url == "https://flows.example:8080/"
    assert settings.execution.sdk.username == "admin@example.org"
    assert settings.execution.sdk.password is not None
    assert settings.execution.sdk.password.get_secret_value() == "from-fallback"
    assert settings.variables.globals == {
        "empty": "[]",
        "quoted": "http://host:1",
        "list": ["admin@example.org", "plain"],
    }
    assert settings.web.environment_name is None


def test_random_placeholders_differ_from_start_to_start(load_yaml: Loader) -> None:
    text = "kestra: {repository: {type: h2}, environment: {name: '${random.uuid}'}}"

    assert load_yaml(text).web.environment_name != load_yaml(text).web.environment_name


def test_a_placeholder_is_converted_like_any_value(load_yaml: Loader) -> None:
    settings = load_yaml("micronaut: {server: {port: '${PORT:9090}'}}")

    assert settings.server.port == 9090


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("kestra: {url: '${NOT_SET}'}", "${NOT_SET} is neither"),
        ("kestra: {url: '${kestra.url}'}", "refers to itself"),
        ("kestra: {url: '${kestra.environment}', environment: {name: x}}", "names a section"),
        ("kestra: {url: '${OPEN'}", "never closed"),
    ],
)
def test_a_placeholder_that_leads_nowhere_is_an_error(load_yaml: Loader, text: str, fragment: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_yaml(text)

    [problem] = caught.value.problems
    assert problem.key == "kestra.url"
    assert fragment in problem.message
    assert problem.source.endswith("application.yml:1:15")


def test_yaml_values_keep_their_text(load_yaml: Loader) -> None:
    settings = load_yaml(
        """
        kestra:
          server: {basic-auth: {password: 0123}}
          environment: {name: 12:30}
          templates: {enabled: yes}
          variables: {globals: {day: 2024-01-01, on: yes, count: 3}}
        logger: {levels: {task: OFF, io.kestra: debug}}
        """
    )

    assert settings.server.basic_auth.password is not None
    assert settings.server.basic_auth.password.get_secret_value() == "0123"
    assert settings.web.environment_name == "12:30"
    assert settings.execution.templates is True
    assert settings.variables.globals == {"day": "2024-01-01", "on": True, "count": 3}
    assert settings.telemetry.log_levels == {"task": "OFF", "io.kestra": "DEBUG"}


def test_plugins_read_their_own_keys_from_raw(load_yaml: Loader) -> None:
    settings = load_yaml(
        """
        kestra:
          storage:
            type: s3
            s3: {accessKey: k, region: eu-west-1, forcePathStyle: false}
          plugins:
            defaults:
              - type: io.kestra.plugin.scripts
                forced: true
                values: {containerImage: "ubuntu:latest"}
            configurations:
              - type: io.kestra.plugin.core.trigger.Schedule
                values: {recoverMissedSchedules: NONE}
        """,
        strict=True,
    )

    assert settings.raw_section("kestra.storage.s3") == {
        "access-key": "k",
        "region": "eu-west-1",
        "force-path-style": False,
    }
    assert settings.raw_section("kestra.storage.gcs") == {}
    [default] = settings.plugins.defaults
    assert default.forced
    assert default.values == {"containerImage": "ubuntu:latest"}
    assert settings.plugins.configurations[0].values == {"recoverMissedSchedules": "NONE"}


def test_yaml_anchors_and_merge_keys(load_yaml: Loader) -> None:
    settings = load_yaml(
        """
        base: &base {timeout: 1m, interval: 2s}
        kestra: {server: {liveness: {<<: *base, interval: 3s}}}
        """
    )

    assert settings.server.liveness.timeout == timedelta(minutes=1)
    assert settings.server.liveness.interval == timedelta(seconds=3)


ORDINARY_KEYS = [path for path in vocabulary().paths() if "." in path and not set(path) & set("*[")]


@pytest.mark.parametrize("root", ["kestra", "windhover"])
def test_every_known_key_has_its_variable(root: str) -> None:
    wrong = []
    for path in ORDINARY_KEYS:
        name = path.replace("kestra.", f"{root}.", 1) if path.startswith("kestra.") else path
        variable = name.upper().replace(".", "_").replace("-", "_")
        unknown: list[ConfigProblem] = []
        layers = read_environment({variable: "x"}, vocabulary(), MapNode(Origin("test")), unknown)
        if unknown or not any(find(layer, path) for layer in layers):
            wrong.append(variable)

    assert len(ORDINARY_KEYS) > 200
    assert wrong == []


def test_every_known_key_is_known_in_camel_case() -> None:
    def camel(path: str) -> str:
        return re.sub(r"-(\w)", lambda match: match[1].upper(), path)

    findings = Findings()
    for path in ORDINARY_KEYS:
        document = from_python({camel(path): None}, Origin("test"))
        assert isinstance(document, MapNode)
        assert find(vocabulary().conform(document, findings), path) is not None, path

    assert findings.unknown == []
