"""A message that its receiver refuses is kept as failed; waits go by a clock nobody can set."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Change the outbox."""
    with op.batch_alter_table("outbox") as table:
        table.drop_index("ix_outbox_due")
        table.drop_column("next_attempt_at")
        table.add_column(sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True))
        table.create_index("ix_outbox_due", ["channel", "sent_at", "failed_at"])
