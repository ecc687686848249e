"""A flow that waits until a test lets it go on."""

from __future__ import annotations

from pathlib import Path

from tests.faults.conftest import NAMESPACE


def gate(entered: Path, opened: Path, kind: str = "Gate") -> str:
    """A flow whose task says in one file that it has begun and waits for another, and a task after it."""
    return f"""
id: gate
namespace: {NAMESPACE}
tasks:
  - id: gate
    type: tests.fault.{kind}
    entered: {entered}
    opened: {opened}
  - id: after
    type: io.kestra.plugin.core.log.Log
    message: after
"""
