"""persons, their search keys, queries, unmapped codes"""

import sqlalchemy as sa
from alembic import op

from gateway.store.ids import uuid7, uuid7_instant

revision = "0002"
down_revision = "0001"
phase = "pre"


def upgrade() -> None:
    op.add_column("resource", sa.Column("sent_at", sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "message_answer",
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"]),
        sa.PrimaryKeyConstraint("message_id"),
    )
    op.create_table(
        "identity_change",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=64), server_default="", nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("kept", sa.String(length=110), nullable=False),
        sa.Column("other", sa.String(length=110), nullable=False),
        sa.Column("was", sa.String(length=110), server_default="", nullable=False),
        sa.Column("ended_by", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("identity_change_message", "identity_change", ["message_id"])
    op.create_index("identity_change_other", "identity_change", ["other"])
    op.create_index("identity_change_kept", "identity_change", ["kept"])
    op.create_table(
        "identity_effect",
        sa.Column("change_id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["change_id"], ["identity_change.id"]),
        sa.PrimaryKeyConstraint("change_id", "type", "id"),
    )
    _keep_links()
    op.create_table(
        "person_key",
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("key", "patient_id"),
    )
    op.create_index("person_key_patient", "person_key", ["patient_id"])
    op.create_table(
        "unmapped_code",
        sa.Column("system", sa.String(length=255), nullable=False),
        sa.Column("code", sa.String(length=255), nullable=False),
        sa.Column("field", sa.String(length=16), nullable=False),
        sa.Column("display", sa.String(length=255), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("system", "code", "field"),
    )


def _keep_links() -> None:
    """Make every merge noted so far a change that can be undone."""
    connection = op.get_bind()
    known = connection.execute(sa.text("SELECT patient_id, survivor_id, message_id FROM person_link")).all()
    op.drop_index("person_link_survivor", table_name="person_link")
    op.drop_table("person_link")
    op.create_table(
        "person_link",
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("survivor_id", sa.String(length=64), nullable=False),
        sa.Column("change_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["change_id"], ["identity_change.id"]),
        sa.PrimaryKeyConstraint("patient_id"),
    )
    op.create_index("person_link_survivor", "person_link", ["survivor_id"])
    changes = [(uuid7(), row) for row in sorted(known, key=lambda row: str(row.message_id))]
    if not changes:
        return
    connection.execute(
        sa.text(
            "INSERT INTO identity_change (id, message_id, at, kind, kept, other)"
            " VALUES (:id, :message_id, :at, 'merge', :kept, :other)"
        ),
        [
            {
                "id": id_,
                "message_id": row.message_id,
                "at": uuid7_instant(row.message_id),
                "kept": f"Patient/{row.survivor_id}",
                "other": f"Patient/{row.patient_id}",
            }
            for id_, row in changes
        ],
    )
    connection.execute(
        sa.text("INSERT INTO person_link (patient_id, survivor_id, change_id) VALUES (:patient_id, :survivor_id, :id)"),
        [{"patient_id": row.patient_id, "survivor_id": row.survivor_id, "id": id_} for id_, row in changes],
    )
