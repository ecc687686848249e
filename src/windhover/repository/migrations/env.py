"""Alembic's entry: run the migrations on the connection that the caller has opened."""

from __future__ import annotations

from alembic import context

from windhover.repository.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,
)
context.run_migrations()
