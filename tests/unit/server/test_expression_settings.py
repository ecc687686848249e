"""What the operator configures of expressions reaches those who render them."""

from __future__ import annotations

from pathlib import Path

from windhover.config.loading import load
from windhover.server.assembly import runtime_settings


def test_settings_of_expressions_are_taken_over(tmp_path: Path) -> None:
    configured = {
        "kestra": {
            "variables": {
                "recursive-rendering": True,
                "cache-size": 12,
                "env-vars-prefix": "MY_",
                "globals": {"foo": "bar"},
            },
            "regex": {"timeout": "200ms"},
        }
    }
    settings = runtime_settings(load([], {"HOME": str(tmp_path)}, configured), {})
    assert settings.recursive_rendering
    assert settings.worker.recursive_rendering
    assert settings.worker.expression_limits.regex_seconds == 0.2
    assert settings.compiled_expressions == 12
    assert settings.env_prefix == "MY_"
    assert settings.globals == {"foo": "bar"}


def test_without_a_cache_no_expression_is_kept(tmp_path: Path) -> None:
    configured = {"kestra": {"variables": {"cache-enabled": False}}}
    settings = runtime_settings(load([], {"HOME": str(tmp_path)}, configured), {})
    assert settings.compiled_expressions == 0
