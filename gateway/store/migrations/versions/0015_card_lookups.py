"""look-ups of insurance cards: who asked, at which moment of a visit, how many on a day"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "card_lookup",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("destination", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("moment", sa.String(16), nullable=False),
        sa.Column("encounter_id", sa.String(64), nullable=False, server_default=""),
        sa.Column("patient_id", sa.String(64), nullable=False, server_default=""),
        sa.Column("question", sa.LargeBinary(16), nullable=False),
        sa.Column("code", sa.String(8), nullable=False, server_default=""),
        sa.Column("fault_code", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_index("card_lookup_day", "card_lookup", ["destination", "at"])
    op.create_index("card_lookup_encounter", "card_lookup", ["encounter_id", "at"])
    op.create_index("card_lookup_question", "card_lookup", ["question", "at"])
