"""The tables of runs over selections, beside those of `schema.py`.

Every index says which query it serves; `tests/plans` asks both engines whether they use it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, text

from gateway.store.schema import metadata

job = Table(
    "job",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("verb", String(16), nullable=False),  # resend, reprocess
    Column("at", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("force", Boolean, nullable=False),
    Column("rate", String(16), nullable=False),
    Column("selection", Text, nullable=False),  # JSON, as it was asked for; numbers of persons and visits left out
    Column("total", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("ended_at", BigInteger, nullable=True),
    Column("lease_owner", String(64), nullable=False, server_default=""),
    Column("lease_until", BigInteger, nullable=False, server_default="0"),
)
"""A run over what was selected and counted once."""

job_item = Table(
    "job_item",
    metadata,
    Column("job_id", ForeignKey("job.id"), primary_key=True),
    Column("position", Integer, primary_key=True),  # by key, and of each key the oldest first
    Column("target", String(36), nullable=False),
    Column("was", String(16), nullable=False),  # its state when it was counted
    Column("state", String(16), nullable=False),
    Column("fault_code", Integer, nullable=False, server_default="0"),
    Column("fault_detail", Text, nullable=False, server_default=""),
)
_waiting = text("state = 'waiting'")
# runner: what is next?
Index(
    "job_item_waiting",
    job_item.c.job_id,
    job_item.c.position,
    sqlite_where=_waiting,
    postgresql_where=_waiting,
)
