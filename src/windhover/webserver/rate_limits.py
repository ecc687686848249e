"""Bounds on how many requests come within a time, counted by this process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from math import ceil

#: So many keys are counted at a time; of more, those that were quiet for longest begin anew.
_MOST_KEYS = 10_000


class RateLimiter:
    """A bucket for each key that holds as many requests as are allowed, and fills up over the interval."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` gives seconds that only go forward."""
        self._clock = clock
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable, requests: int, interval: float) -> int:
        """Count one request: 0 when it is within the limit, else after how many seconds the next one will be.

        ``requests`` within ``interval`` seconds are allowed.
        """
        now = self._clock()
        left, at = self._buckets.pop(key, (float(requests), now))
        left = min(float(requests), left + (now - at) * requests / interval)
        allowed = left >= 1
        self._buckets[key] = (left - 1 if allowed else left, now)
        if len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
        return 0 if allowed else max(1, ceil((1 - left) * interval / requests))
