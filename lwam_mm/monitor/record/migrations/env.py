"""Alembic's entry: runs the migrations on the connection that `Record` hands over."""

from alembic import context

from lwam_mm.monitor.record.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite can alter a table only by making it anew
)
with context.begin_transaction():
    context.run_migrations()
