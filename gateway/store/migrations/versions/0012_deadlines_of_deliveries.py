"""deadlines of deliveries, and what was said about them"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
phase = "pre"

_OPEN = "state NOT IN ('accepted', 'closed', 'withheld')"


def upgrade() -> None:
    op.add_column("delivery", sa.Column("deadline_at", sa.BigInteger(), server_default="0", nullable=False))
    for name in ("notice_at", "warned_at", "breached_at"):
        op.add_column("delivery", sa.Column(name, sa.BigInteger(), nullable=True))
    until = "(SELECT document.deadline_at FROM document WHERE document.id = delivery.document_id)"
    op.execute(f"UPDATE delivery SET deadline_at = {until}, notice_at = {until} WHERE {_OPEN}")  # noqa: S608 - no input
    noticed = sa.text("notice_at IS NOT NULL")
    op.create_index("delivery_notice", "delivery", ["notice_at"], sqlite_where=noticed, postgresql_where=noticed)
