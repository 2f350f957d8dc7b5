"""Reports of storage commitment that devices wait for; studies whose files were removed"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "commitment",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("calling", sa.String(64), nullable=False),
        sa.Column("transaction_uid", sa.String(64), nullable=False),
        sa.Column("key", sa.LargeBinary(16), nullable=False),
        sa.Column("objects", sa.Integer, nullable=False),
        sa.Column("missing", sa.Integer, nullable=True),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("fault_code", sa.Integer, nullable=False, server_default="0"),
        sa.Column("fault_where", sa.Text, nullable=False, server_default=""),
        sa.Column("fault_detail", sa.Text, nullable=False, server_default=""),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    owed, given_up = sa.text("state = 'owed'"), sa.text("state = 'error'")
    op.create_index("commitment_due", "commitment", ["channel", "due_at"], sqlite_where=owed, postgresql_where=owed)
    op.create_index("commitment_asked", "commitment", ["channel", "calling", "transaction_uid"], unique=True)
    op.create_index("commitment_wrong", "commitment", ["id"], sqlite_where=given_up, postgresql_where=given_up)
    op.add_column("study", sa.Column("pruned_at", sa.BigInteger, nullable=True))
    gone, going = sa.text("state IN ('pruning', 'pruned')"), sa.text("state = 'pruning'")
    op.create_index("instance_gone", "instance", ["study_uid", "id"], sqlite_where=gone, postgresql_where=gone)
    op.create_index("instance_going", "instance", ["id"], sqlite_where=going, postgresql_where=going)
