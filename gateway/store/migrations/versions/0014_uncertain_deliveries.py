"""deliveries to be asked about are found without reading what waits to be sent"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
phase = "pre"


def upgrade() -> None:
    uncertain = sa.text("state = 'uncertain'")
    op.create_index(
        "delivery_uncertain", "delivery", ["destination", "due_at"], sqlite_where=uncertain, postgresql_where=uncertain
    )
