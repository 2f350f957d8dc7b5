"""papers are found by the hash that stands on them"""

from alembic import op

revision = "0009"
down_revision = "0008"
phase = "pre"


def upgrade() -> None:
    op.create_index("rendition_sha256", "rendition", ["sha256"])
