"""signing tasks; several signatures on one rendition"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
phase = "pre"


def upgrade() -> None:
    op.drop_index("signature_certificate", "signature")
    op.rename_table("signature", "signature_before")
    op.create_table(
        "signature",
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.String(length=36), nullable=True),
        sa.Column("role", sa.String(length=48), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("workstation", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("signer", sa.Text(), nullable=False),
        sa.Column("certificate_sha256", sa.String(length=64), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.Column("voided_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"]),
        sa.PrimaryKeyConstraint("document_id", "kind", "number", name="signature_of_rendition"),
    )
    op.execute(
        "INSERT INTO signature (document_id, kind, number, role, holder, account, workstation, sha256, signer,"
        " certificate_sha256, signed_at) SELECT document_id, kind, 1, 'seal', '', '', '', sha256, signer,"
        " certificate_sha256, signed_at FROM signature_before"
    )
    op.drop_table("signature_before")
    op.create_index("signature_certificate", "signature", ["certificate_sha256", "signed_at"])
    op.create_table(
        "signing_task",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("role", sa.String(length=48), nullable=False),
        sa.Column("holder", sa.String(length=64), server_default="", nullable=False),
        sa.Column("departments", sa.Text(), server_default="", nullable=False),
        sa.Column("optional", sa.Boolean(), nullable=False),
        sa.Column("skippers", sa.Text(), server_default="", nullable=False),
        sa.Column("in_person", sa.Boolean(), nullable=False),
        sa.Column("countersigns", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("lease_owner", sa.String(length=64), server_default="", nullable=False),
        sa.Column("lease_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("ready_at", sa.BigInteger(), nullable=True),
        sa.Column("deadline_at", sa.BigInteger(), nullable=False),
        sa.Column("notice_at", sa.BigInteger(), nullable=True),
        sa.Column("warned_at", sa.BigInteger(), nullable=True),
        sa.Column("breached_at", sa.BigInteger(), nullable=True),
        sa.Column("signed_at", sa.BigInteger(), nullable=True),
        sa.Column("signer", sa.String(length=64), server_default="", nullable=False),
        sa.Column("delegation", sa.String(length=64), server_default="", nullable=False),
        sa.Column("certificate_sha256", sa.String(length=64), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("signing_task_document", "signing_task", ["document_id", "number"])
    waiting = sa.text("state IN ('waiting', 'ready', 'claimed')")
    for name, column in (("signing_task_open", "role"), ("signing_task_notice", "notice_at")):
        op.create_index(name, "signing_task", [column], sqlite_where=waiting, postgresql_where=waiting)
