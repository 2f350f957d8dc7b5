"""${message}"""

from alembic import op
import sqlalchemy as sa

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
phase = "pre"  # nodes of the version before go on working beside it; "post": only when none of them lives


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
