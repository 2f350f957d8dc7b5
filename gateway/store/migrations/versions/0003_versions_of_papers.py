"""why a version of a paper was made, by whom, and what it says"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
phase = "pre"


def upgrade() -> None:
    op.add_column("document", sa.Column("act", sa.String(length=8), server_default="make", nullable=False))
    op.add_column("document", sa.Column("reason", sa.Text(), server_default="", nullable=False))
    op.add_column("document", sa.Column("actor", sa.String(length=64), server_default="", nullable=False))
    op.add_column("document", sa.Column("digest", sa.LargeBinary(length=16), nullable=True))
    op.create_index("document_patient", "document", ["patient_id"])
