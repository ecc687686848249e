"""What can go wrong between a repository and its database."""

from __future__ import annotations


class RepositoryUnavailable(Exception):
    """The database cannot serve this now: it is down, locked, full or the connection broke.

    Nothing is known to be written; whatever was asked may be asked again, and a commit may be repeated
    even when it was in fact written.
    """


class RepositoryError(Exception):
    """The database refuses this for good; asking again would not help."""


class ConstraintViolated(RepositoryError):
    """A row would break a uniqueness rule: someone else wrote first."""


class FlowConflict(RepositoryError):
    """The flow has moved on since the revision that an edit was based on."""


class UnstorableRecord(RepositoryError):
    """A record cannot be written as JSON. Nothing of its batch was written.

    ``execution_id`` names the execution to blame, so that the others of the batch can be committed.
    """

    def __init__(self, execution_id: str, what: str, reason: str) -> None:
        super().__init__(f"{what} of execution '{execution_id}' cannot be stored: {reason}")
        self.execution_id = execution_id


class SchemaMismatch(RepositoryError):
    """The database holds tables that this version of the program cannot work with."""
