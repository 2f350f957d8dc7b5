"""messages are found by the numbers in them, deliveries by the number that the destination gave"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "message_key",
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("key", "message_id"),
        sqlite_with_rowid=False,
    )
    op.add_column("message", sa.Column("keyed", sa.Boolean(), server_default=sa.false(), nullable=False))
    unkeyed = sa.text("NOT keyed AND state <> 'received'")
    op.create_index("message_unkeyed", "message", ["id"], sqlite_where=unkeyed, postgresql_where=unkeyed)
    referred = sa.text("reference <> ''")
    op.create_index("delivery_reference", "delivery", ["reference"], sqlite_where=referred, postgresql_where=referred)
