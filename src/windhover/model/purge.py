"""What a purge deletes of things that are kept in versions."""

from __future__ import annotations

from datetime import datetime

import msgspec


class KeptVersion(msgspec.Struct, frozen=True):
    """One version as a purge sees it.

    ``name`` is its key or path. ``rank`` is 0 for the latest version, 1 for the one before, and so on.
    ``deleted``: the key or file is marked as deleted. ``updated`` is when the version came to be.
    """

    name: str
    version: int
    rank: int
    deleted: bool
    updated: datetime
    expires: datetime | None = None


class VersionPurge(msgspec.Struct, frozen=True):
    """Deletes old versions: those older than ``before`` and beyond the ``keep`` latest; None says nothing.

    The latest version stays, unless it is marked as deleted.
    """

    before: datetime | None = None
    keep: int | None = None

    def picks(self, version: KeptVersion) -> bool:
        if self.before is not None and version.updated >= self.before:
            return False
        if version.deleted:
            return True
        return version.rank >= max(1, self.keep if self.keep is not None else 1)


class KeyPurge(msgspec.Struct, frozen=True):
    """Deletes keys with all their versions: all, or only those that have expired at ``now``."""

    now: datetime
    expired_only: bool = True

    def picks(self, version: KeptVersion) -> bool:
        return not self.expired_only or (version.expires is not None and version.expires <= self.now)
