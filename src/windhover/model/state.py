"""States of executions, task runs and attempts, with their dated history.

Documentation page: ``docs/executions.md``.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class StateType(StrEnum):
    """One vocabulary for executions, task runs and attempts."""

    CREATED = "CREATED"
    SUBMITTED = "SUBMITTED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    RESTARTED = "RESTARTED"
    KILLING = "KILLING"
    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    FAILED = "FAILED"
    KILLED = "KILLED"
    CANCELLED = "CANCELLED"
    QUEUED = "QUEUED"
    RETRYING = "RETRYING"
    RETRIED = "RETRIED"
    SKIPPED = "SKIPPED"
    BREAKPOINT = "BREAKPOINT"
    RESUBMITTED = "RESUBMITTED"

    @property
    def is_terminated(self) -> bool:
        """Nothing follows this state by itself."""
        return self in TERMINATED

    @property
    def is_created(self) -> bool:
        return self in (StateType.CREATED, StateType.RESTARTED)


TERMINATED = frozenset(
    {
        StateType.SUCCESS,
        StateType.WARNING,
        StateType.FAILED,
        StateType.KILLED,
        StateType.CANCELLED,
        StateType.RETRIED,
        StateType.SKIPPED,
        StateType.RESUBMITTED,
    }
)


class StateChange(msgspec.Struct, frozen=True, gc=False):
    """One entry of a history: a state and the instant (UTC) it was taken."""

    state: StateType
    date: datetime


class State(msgspec.Struct, gc=False):
    """The present state and all that came before it, oldest first."""

    current: StateType
    histories: list[StateChange]

    @classmethod
    def created(cls, now: datetime) -> State:
        return cls(StateType.CREATED, [StateChange(StateType.CREATED, now)])

    def become(self, state: StateType, now: datetime) -> bool:
        """Take a new state; returns False (and changes nothing) when it is held already."""
        if state is self.current:
            return False
        self.current = state
        self.histories.append(StateChange(state, now))
        return True

    def take_back(self) -> None:
        """Forget the last change: what it announced did not come."""
        if len(self.histories) > 1:
            self.histories.pop()
            self.current = self.histories[-1].state

    def copy(self) -> State:
        return State(self.current, list(self.histories))

    @property
    def start_date(self) -> datetime:
        return self.histories[0].date

    @property
    def end_date(self) -> datetime | None:
        """The instant of the last change, once terminated or paused."""
        if self.current in TERMINATED or self.current is StateType.PAUSED:
            return self.histories[-1].date
        return None

    @property
    def duration(self) -> float | None:
        """Seconds from start to end; None while there is no end."""
        end = self.end_date
        return None if end is None else (end - self.start_date).total_seconds()
