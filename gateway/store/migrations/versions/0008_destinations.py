"""what all nodes know of a destination; how often work outlived who did it"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "destination",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("closed_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("started", sa.Text(), server_default="", nullable=False),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("paused_by", sa.String(length=64), server_default="", nullable=False),
        sa.Column("paused_reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    for table in ("message", "document", "delivery", "signature_proof", "archive"):
        op.add_column(table, sa.Column("deaths", sa.Integer(), server_default="0", nullable=False))
    op.create_index("document_event", "document", ["event_at"])
    op.drop_index("delivery_lease", "delivery")
    leased = sa.text("lease_owner <> ''")
    op.create_index("delivery_leased", "delivery", ["destination"], sqlite_where=leased, postgresql_where=leased)
