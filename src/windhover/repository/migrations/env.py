"""Alembic's entry: run the migrations on the caller's connection, or write them as text for PostgreSQL."""

from __future__ import annotations

from alembic import context

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", transactional_ddl=False)
else:
    context.configure(
        connection=context.config.attributes["connection"],
        # SQLite cannot change most of a table: Alembic makes a new one and moves the rows.
        render_as_batch=True,
        transactional_ddl=False,
    )
context.run_migrations()
