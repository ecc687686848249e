"""A broker that runs while tests need it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from tests.brokers import Broker, BrokerNotInstalled

B = TypeVar("B", bound=Broker)


@contextmanager
def running_broker(kind: type[B], folder: Path) -> Iterator[B]:
    """A broker with its files in a folder; skips what asks for it where this machine has none."""
    try:
        broker = kind(folder)
    except BrokerNotInstalled as reason:
        pytest.skip(f"Left out: {reason}")
    with broker:
        yield broker
