"""Forms of durations, sizes, lists and of what a machine offers."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from windhover.config import Settings
from windhover.config.processors import available_processors
from windhover.config.values import parse_duration, parse_size

Loader = Callable[..., Settings]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("25ms", 0.025),
        ("10s", 10),
        ("1.5h", 5_400),
        ("5m", 300),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("PT5M", 300),
        ("PT0.5S", 0.5),
        ("pt1h30m", 5_400),
        ("P30D", 2_592_000),
        ("P1DT12H", 129_600),
        ("-PT5S", -5),
        ("0", 0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["10", "P", "PT", "5 minutes", "m", "", "PT5", "1h30m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1048576", 1 << 20),
        ("512KB", 512 << 10),
        ("10MB", 10 << 20),
        ("10g", 10 << 30),
        ("1.5 MiB", 1_572_864),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("value", ["/a, /b", ["/a", "/b"]])
def test_a_list_is_yaml_or_comma_separated(load_yaml: Loader, value: object) -> None:
    settings = load_yaml(overrides={"kestra.server.basic-auth.open-urls": value}, strict=True)

    assert settings.server.basic_auth.open_urls == ("/a", "/b")


def test_lines_of_html_are_joined(load_yaml: Loader) -> None:
    settings = load_yaml('kestra: {webserver: {html-head: ["<style>", "</style>"]}}')

    assert settings.web.html_head == "<style>\n</style>"


def test_an_empty_prefix_is_a_value_but_an_empty_port_is_the_default(
    load_yaml: Loader,
) -> None:
    settings = load_yaml("kestra: {variables: {env-vars-prefix: ''}}\nmicronaut: {server: {port: '${P:}'}}")

    assert settings.variables.env_vars_prefix == ""
    assert settings.server.port == 8080


@pytest.mark.parametrize(("quota", "processors"), [("50000 100000", 1), ("max 100000", None), ("", None)])
def test_processors_follow_the_quota_of_the_container(
    tmp_path: Path, quota: str, processors: int | None
) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota)

    unlimited = available_processors(tmp_path / "absent")
    assert available_processors(file) == (processors or unlimited)
