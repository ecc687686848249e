"""Schedules of every second: each date runs once, and none is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.faults.conftest import until
from tests.faults.crashes.campaign import Scenario
from tests.faults.second_by_second import assert_each_second_once, every_second

NAMES = [f"every-second-{number}" for number in range(10)]


class Dates(Scenario):
    """The table of dates against that of executions, after kills at any moment of a second."""

    flows = tuple(every_second(name, "allowConcurrent: true") for name in NAMES)

    def begin(self, round_: int) -> None:
        if round_ == 0:
            until(lambda: all(self.server.total(name) for name in NAMES), 20)

    def stop(self) -> None:
        """What was missed is made up for, and goes on."""
        restarted = datetime.now(UTC) + timedelta(seconds=1)
        until(lambda: all(max(self._dates(name)) > restarted for name in NAMES), 40)
        for name in NAMES:
            self.server.disable(name, "s")

    def check(self) -> None:
        for name in NAMES:
            count = self.server.total(name)
            until(lambda name=name, count=count: self.server.total(name, state="SUCCESS") == count, 30)  # type: ignore[misc]
            assert_each_second_once(self._dates(name), name)

    def _dates(self, name: str) -> list[datetime]:
        found = self.server.executions(name)
        return [datetime.fromisoformat(each["trigger"]["variables"]["date"]) for each in found]
