"""Laboratory: orders by number, whose a message of an instrument is, critical values"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "lab_order",
        sa.Column("order_id", sa.String(64), primary_key=True),
        sa.Column("patient_id", sa.String(64), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("told_at", sa.BigInteger, nullable=False),
    )
    active, is_open = sa.text("status = 'active'"), sa.text("state = 'open'")
    op.create_index("lab_order_active", "lab_order", ["told_at"], sqlite_where=active, postgresql_where=active)
    op.create_index("lab_order_patient", "lab_order", ["patient_id"])
    op.create_table(
        "lab_number",
        sa.Column("key", sa.LargeBinary(16), primary_key=True),
        sa.Column("order_id", sa.String(64), sa.ForeignKey("lab_order.order_id"), primary_key=True),
        sa.Column("kind", sa.String(8), nullable=False),
    )
    op.create_table(
        "lab_assignment",
        sa.Column("message_id", sa.String(36), sa.ForeignKey("message.id"), primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "critical_value",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("key", sa.LargeBinary(16), nullable=False),
        sa.Column("patient_id", sa.String(64), nullable=False),
        sa.Column("message_id", sa.String(36), sa.ForeignKey("message.id"), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("raised_at", sa.BigInteger, nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger, nullable=True),
        sa.Column("actor", sa.String(255), nullable=False, server_default=""),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("critical_value_key", "critical_value", ["key"], unique=True)
    op.create_index(
        "critical_value_open", "critical_value", ["raised_at"], sqlite_where=is_open, postgresql_where=is_open
    )
