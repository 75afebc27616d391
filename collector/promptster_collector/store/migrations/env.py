"""Alembic's entry for the control database, on the caller's connection."""

from __future__ import annotations

from alembic import context

from promptster_collector.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
