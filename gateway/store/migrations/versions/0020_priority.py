"""messages of a channel that may wait do not delay the others"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0016"
phase = "pre"


def upgrade() -> None:
    op.add_column("message", sa.Column("priority", sa.SmallInteger(), server_default=sa.text("0"), nullable=False))
    first = sa.text("state = 'received' AND priority = 0")
    op.create_index("message_first", "message", ["id"], sqlite_where=first, postgresql_where=first)
