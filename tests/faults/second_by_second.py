"""Flows with a date each second, and whether each of these dates has run once."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from tests.faults.conftest import NAMESPACE


def every_second(id_: str, *lines: str) -> str:
    """A flow whose schedule ``s`` has a date each second; ``lines`` are more properties of it."""
    more = "".join(f"    {line}\n" for line in lines)
    return f"""
id: {id_}
namespace: {NAMESPACE}
tasks:
  - id: say
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ trigger.date }}}}"
triggers:
  - id: s
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "* * * * * *"
    withSeconds: true
{more}"""


def seconds_between(dates: list[datetime]) -> set[datetime]:
    """Every second from the first date to the last."""
    first, last = min(dates), max(dates)
    return {first + timedelta(seconds=step) for step in range(round((last - first).total_seconds()) + 1)}


def assert_none_twice(dates: list[datetime], flow: str) -> None:
    assert [date for date, count in Counter(dates).items() if count > 1] == [], f"{flow}: run twice"


def assert_each_second_once(dates: list[datetime], flow: str) -> None:
    """Every second from the first date to the last, each once."""
    assert_none_twice(dates, flow)
    assert sorted(seconds_between(dates) - set(dates)) == [], f"{flow}: left out"
