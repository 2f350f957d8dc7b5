"""deaths of nodes that told an instrument an order"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
phase = "pre"


def upgrade() -> None:
    op.add_column("lab_call", sa.Column("deaths", sa.Integer, nullable=False, server_default="0"))
