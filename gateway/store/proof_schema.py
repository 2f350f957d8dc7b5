"""The tables of proofs, beside those of `schema.py`.

Every index says which query it serves; `tests/plans` asks both engines whether they use it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    text,
)

from gateway.store.schema import metadata, work_columns

signature_proof = Table(
    "signature_proof",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("document_id", ForeignKey("document.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("number", Integer, nullable=False),  # of the signature, in its rendition
    Column("signature_id", String(64), nullable=False),  # in the file
    Column("octets", LargeBinary, nullable=False),  # what a time stamp is over: the value of the signature
    Column("inside", Boolean, nullable=False),  # false: what proves it is kept here alone, and not put into the file
    Column("policy", String(64), nullable=False),  # the paper it is for, or * for all others
    Column("step", String(16), nullable=False),
    Column("level", String(8), nullable=False),  # wanted when it was made
    Column("state", String(16), nullable=False),
    Column("stamped_at", BigInteger, nullable=True),  # as its time stamp says
    *work_columns(),
    UniqueConstraint("document_id", "kind", "number", name="signature_proof_of"),  # pipeline: those of a document
)
"""What is known of each signature besides its row in `signature`."""
_wanting = text("state IN ('bare', 'stamped')")
# node: what wants a time stamp or an answer; people: what is missing
Index("signature_proof_due", signature_proof.c.id, sqlite_where=_wanting, postgresql_where=_wanting)

material = Table(
    "material",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("type", String(16), nullable=False),  # certificate, ocsp, crl, timestamp
    Column("der", LargeBinary, nullable=False),
)
"""Evidence as others gave it, each piece once: one list of revoked certificates serves thousands of signatures."""

signature_material = Table(
    "signature_material",
    metadata,
    Column("proof_id", ForeignKey("signature_proof.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("sha256", ForeignKey("material.sha256"), nullable=False),
)

archive = Table(
    "archive",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("document_id", ForeignKey("document.id"), nullable=False),
    Column("kind", String(16), nullable=False),  # of the rendition that was signed
    Column("number", Integer, nullable=False),  # 0: with the first archive time stamps; then one for each renewal
    Column("sha256", String(64), nullable=False),  # of the bytes that hold the stamps
    Column("before_sha256", String(64), nullable=False),  # of the bytes that they replace as proof
    Column("stamped_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),  # when the first certificate of their authorities ends
    Column("state", String(16), nullable=False),
    *work_columns(),
    UniqueConstraint("document_id", "kind", "number", name="archive_of"),  # people: the trail of a document
)
"""Archive time stamps of renditions, each newer one in bytes of its own."""
_current = text("state = 'current'")
# node, daily: whose authority's certificate ends soon?
Index("archive_due", archive.c.due_at, sqlite_where=_current, postgresql_where=_current)
