"""orders that instruments are told unasked"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "lab_call",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("order_id", sa.String(64), sa.ForeignKey("lab_order.order_id"), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False, server_default=""),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("told_at", sa.BigInteger, nullable=True),
        sa.Column("specimen_key", sa.LargeBinary(16), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("fault_code", sa.Integer, nullable=False, server_default="0"),
        sa.Column("fault_where", sa.Text, nullable=False, server_default=""),
        sa.Column("fault_detail", sa.Text, nullable=False, server_default=""),
    )
    owed, untold = sa.text("state = 'owed'"), sa.text("state = 'error'")
    due = ["channel", "changed_at"]
    op.create_index("lab_call_due", "lab_call", due, sqlite_where=owed, postgresql_where=owed)
    op.create_index("lab_call_order", "lab_call", ["order_id", "channel"], unique=True)
    op.create_index("lab_call_specimen", "lab_call", ["channel", "specimen_key"])
    op.create_index("lab_call_wrong", "lab_call", ["id"], sqlite_where=untold, postgresql_where=untold)
