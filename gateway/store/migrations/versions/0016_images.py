"""DICOM: studies, their objects, and the headers of these; worklist and steps of devices"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "study",
        sa.Column("uid", sa.String(64), primary_key=True),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("calling", sa.String(64), nullable=False),
        sa.Column("order_key", sa.LargeBinary(16), nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("instances", sa.Integer, nullable=False),
        sa.Column("told", sa.Integer, nullable=False, server_default="0"),
        sa.Column("version", sa.Integer, nullable=False, server_default="0"),
        sa.Column("message_id", sa.String(36), sa.ForeignKey("message.id"), nullable=True),
        sa.Column("assigned", sa.LargeBinary, nullable=True),
        sa.Column("due_at", sa.BigInteger, nullable=True),
        sa.Column("expected", sa.Integer, nullable=True),
    )
    due = sa.text("due_at IS NOT NULL")
    op.create_index("study_due", "study", ["due_at"], sqlite_where=due, postgresql_where=due)
    op.create_index("study_newest", "study", ["last_at", "uid"])
    op.create_table(
        "instance",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("sop_instance", sa.String(64), nullable=False),
        sa.Column("sop_class", sa.String(64), nullable=False),
        sa.Column("study_uid", sa.String(64), nullable=False, server_default=""),
        sa.Column("series_uid", sa.String(64), nullable=False, server_default=""),
        sa.Column("transfer_syntax", sa.String(64), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("peer", sa.String(64), nullable=False),
        sa.Column("calling", sa.String(64), nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("fault_code", sa.Integer, nullable=False, server_default="0"),
        sa.Column("fault_where", sa.Text, nullable=False, server_default=""),
        sa.Column("fault_detail", sa.Text, nullable=False, server_default=""),
    )
    kept, aside = sa.text("state = 'kept'"), sa.text("state = 'quarantined'")
    op.create_index("instance_sop", "instance", ["sop_instance"], unique=True, sqlite_where=kept, postgresql_where=kept)
    op.create_index("instance_study", "instance", ["study_uid", "id"], sqlite_where=kept, postgresql_where=kept)
    op.create_index("instance_aside", "instance", ["id"], sqlite_where=aside, postgresql_where=aside)
    op.create_table(
        "instance_header",
        sa.Column("instance_id", sa.String(36), sa.ForeignKey("instance.id"), primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "procedure_step",
        sa.Column("sop_instance", sa.String(64), primary_key=True),
        sa.Column("study_uid", sa.String(64), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("calling", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("instances", sa.Integer, nullable=True),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=True),
        sa.Column("begun_key", sa.LargeBinary(16), nullable=False),
        sa.Column("last_key", sa.LargeBinary(16), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("procedure_step_study", "procedure_step", ["study_uid"])
    op.create_table(
        "worklist",
        sa.Column("order_id", sa.String(64), primary_key=True),
        sa.Column("patient_id", sa.String(64), nullable=False),
        sa.Column("patient_key", sa.LargeBinary(16), nullable=False),
        sa.Column("accession_key", sa.LargeBinary(16), nullable=False),
        sa.Column("study_uid", sa.String(64), nullable=False),
        sa.Column("day", sa.String(8), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("done_at", sa.BigInteger, nullable=True),
        sa.Column("message_id", sa.String(36), sa.ForeignKey("message.id"), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    is_open = sa.text("status = 'active' AND done_at IS NULL")
    for name, columns in (
        ("worklist_day", ["day", "order_id"]),
        ("worklist_number", ["patient_key"]),
        ("worklist_patient", ["patient_id"]),
    ):
        op.create_index(name, "worklist", columns, sqlite_where=is_open, postgresql_where=is_open)
    op.create_index("worklist_accession", "worklist", ["accession_key"])
    op.create_index("worklist_study", "worklist", ["study_uid"])
