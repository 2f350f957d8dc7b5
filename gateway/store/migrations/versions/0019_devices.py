"""messages of a channel that may wait do not delay the others; values of devices wait for their window"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
phase = "pre"


def upgrade() -> None:
    op.add_column("message", sa.Column("priority", sa.SmallInteger(), server_default=sa.text("0"), nullable=False))
    first = sa.text("state = 'received' AND priority = 0")
    op.create_index("message_first", "message", ["id"], sqlite_where=first, postgresql_where=first)
    op.create_table(
        "device_sample",
        sa.Column("message_id", sa.String(36), sa.ForeignKey("message.id"), primary_key=True),
        sa.Column("series", sa.LargeBinary(16), primary_key=True),
        sa.Column("window_at", sa.BigInteger, primary_key=True),
        sa.Column("patient_id", sa.String(64), nullable=True),
        sa.Column("due_at", sa.BigInteger, nullable=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    due = sa.text("due_at IS NOT NULL")
    op.create_index("device_sample_due", "device_sample", ["due_at"], sqlite_where=due, postgresql_where=due)
    op.create_index("device_sample_window", "device_sample", ["series", "window_at"])
