"""What holds for all random flows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from windhover.engine import batches

sys.path.insert(0, str(Path(__file__).parent))
from harness import WINDOW


@pytest.fixture(autouse=True, scope="module")
def few_batches_in_one_step() -> Iterator[None]:
    """So that small files need several steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "WINDOW", WINDOW)
        yield
