"""proofs of signatures and their renewal"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
phase = "pre"


def upgrade() -> None:
    op.drop_index("document_due", "document")
    unfinished = sa.text("state IN ('due', 'composed', 'proving')")
    op.create_index("document_due", "document", ["id"], sqlite_where=unfinished, postgresql_where=unfinished)
    op.create_table(
        "signature_proof",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("signature_id", sa.String(length=64), nullable=False),
        sa.Column("octets", sa.LargeBinary(), nullable=False),
        sa.Column("inside", sa.Boolean(), nullable=False),
        sa.Column("policy", sa.String(length=64), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("stamped_at", sa.BigInteger(), nullable=True),
        *_work(),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("document_id", "kind", "number", name="signature_proof_of"),
    )
    wanting = sa.text("state IN ('bare', 'stamped')")
    op.create_index("signature_proof_due", "signature_proof", ["id"], sqlite_where=wanting, postgresql_where=wanting)
    op.create_table(
        "material",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_table(
        "signature_material",
        sa.Column("proof_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["proof_id"], ["signature_proof.id"]),
        sa.ForeignKeyConstraint(["sha256"], ["material.sha256"]),
        sa.PrimaryKeyConstraint("proof_id", "position"),
    )
    op.create_table(
        "archive",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("before_sha256", sa.String(length=64), nullable=False),
        sa.Column("stamped_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        *_work(),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("document_id", "kind", "number", name="archive_of"),
    )
    current = sa.text("state = 'current'")
    op.create_index("archive_due", "archive", ["due_at"], sqlite_where=current, postgresql_where=current)


def _work() -> list[sa.Column[int] | sa.Column[str]]:
    return [
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_owner", sa.String(length=64), server_default="", nullable=False),
        sa.Column("lease_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("fault_code", sa.Integer(), server_default="0", nullable=False),
        sa.Column("fault_where", sa.Text(), server_default="", nullable=False),
        sa.Column("fault_detail", sa.Text(), server_default="", nullable=False),
    ]
