"""How a scheduler works."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from windhover.plugin.trigger import RecoverMissedSchedules


class SchedulerSettings(msgspec.Struct, frozen=True):
    """What can be set.

    ``zone`` is the time zone of schedules that name none, and ``recover`` says by type how missed dates are
    treated where a trigger does not. ``tick`` is the longest sleep, so that a clock that is set is noticed.
    ``claim`` is how many triggers are looked at in one transaction, and ``lease`` how long that may take.
    ``look_limit`` is how long a polling trigger may look, and ``listen_lease`` after how long a listener that
    gives no sign of life is started elsewhere. Events older than ``keep_events`` are forgotten.
    The events of a batch whose JSON has more than ``inline_events`` bytes are kept in the storage.
    """

    zone: str = "UTC"
    recover: Mapping[str, RecoverMissedSchedules] = {}
    tick: timedelta = timedelta(seconds=1)
    claim: int = 100
    lease: timedelta = timedelta(seconds=10)
    look_limit: timedelta = timedelta(minutes=5)
    listen_lease: timedelta = timedelta(seconds=30)
    keep_events: timedelta = timedelta(days=90)
    check_interval: timedelta = timedelta(seconds=15)
    inline_events: int = 256 * 1024
