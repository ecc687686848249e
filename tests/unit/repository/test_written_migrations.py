"""A migration that databases may have been brought up by says the same for ever."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from windhover.repository import migrate
from windhover.repository.schema import HEAD

VERSIONS = Path(migrate.__file__).parent / "migrations" / "versions"

#: The first half of the digest of each. A new one is added here; what stands here is never changed.
WRITTEN = {"0001_first_tables.py": "0a5c2ac6d7d34c7352bcc8e0c1d60fac"}


def test_no_migration_is_changed_afterwards() -> None:
    found = {path.name: sha256(path.read_bytes()).hexdigest()[:32] for path in VERSIONS.glob("*.py")}
    assert found == WRITTEN, "change tables.py and write another migration: CONTRIBUTING.md, Tables"


def test_the_latest_migration_is_the_one_that_databases_are_brought_to() -> None:
    assert max(WRITTEN).startswith(f"{HEAD}_")
