"""register of certificates: holders, certificates, events, incidents, notices"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
phase = "pre"

_LIVING = sa.text("state IN ('issued', 'handed_over', 'active', 'suspended')")


def upgrade() -> None:
    op.create_index("signature_certificate", "signature", ["certificate_sha256", "signed_at"])
    op.create_table(
        "holder",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        _text("department", 255),
        _text("post", 255),
        _text("title", 255),
        _text("licence", 64),
        sa.Column("citizen_key", sa.LargeBinary(length=16), nullable=True),
        sa.Column("private", sa.LargeBinary(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        _text("commitment_on", 10),
        _text("commitment_sha256", 64),
        _text("commitment_reference"),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code", name="holder_code"),
    )
    op.create_table(
        "certificate",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("holder_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("state_since", sa.BigInteger(), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("replaces_id", sa.String(length=36), nullable=True),
        _text("device_kind", 16),
        _text("device_serial", 64),
        _text("provider", 255),
        _text("key_kind", 16),
        _text("key_name", 64),
        _text("serial", 64),
        _text("issuer"),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("not_before", sa.BigInteger(), nullable=True),
        sa.Column("not_after", sa.BigInteger(), nullable=True),
        sa.Column("der", sa.LargeBinary(), nullable=True),
        _text("handed_over_on", 10),
        _text("received_by", 255),
        _text("handed_by", 255),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        _text("proposal"),
        sa.ForeignKeyConstraint(["holder_id"], ["holder.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sha256", name="certificate_sha256"),
    )
    op.create_index("certificate_holder", "certificate", ["holder_id"])
    op.create_index("certificate_ending", "certificate", ["not_after"], sqlite_where=_LIVING, postgresql_where=_LIVING)
    op.create_table(
        "certificate_event",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("holder_id", sa.String(length=36), nullable=False),
        sa.Column("certificate_id", sa.String(length=36), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("effective_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        _text("state", 16),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["certificate_id"], ["certificate.id"]),
        sa.ForeignKeyConstraint(["holder_id"], ["holder.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("certificate_event_certificate", "certificate_event", ["certificate_id"])
    op.create_index("certificate_event_holder", "certificate_event", ["holder_id"])
    op.create_table(
        "certificate_incident",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("certificate_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        _text("closed_by", 64),
        _text("outcome"),
        sa.ForeignKeyConstraint(["certificate_id"], ["certificate.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("certificate_incident_certificate", "certificate_incident", ["certificate_id"])
    op.create_table(
        "certificate_notice",
        sa.Column("certificate_id", sa.String(length=36), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["certificate_id"], ["certificate.id"]),
        sa.PrimaryKeyConstraint("certificate_id", "days", "recipient"),
    )


def _text(name: str, length: int = 0) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length) if length else sa.Text(), server_default="", nullable=False)
