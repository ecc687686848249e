from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from windhover.config import Settings, load

Loader = Callable[..., Settings]


@pytest.fixture
def load_yaml(tmp_path: Path) -> Loader:
    """Load settings from one YAML file called ``application.yml``, with nothing of the machine around it."""

    def from_yaml(
        text: str = "",
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, object] | None = None,
        strict: bool | None = None,
    ) -> Settings:
        file = tmp_path / "application.yml"
        file.write_text(dedent(text), encoding="utf-8")
        return load([file], environ or {}, overrides, strict=strict)

    return from_yaml
