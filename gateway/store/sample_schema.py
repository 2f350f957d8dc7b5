"""The table of values that wait for the others of their window, beside those of `schema.py`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Table, text

from gateway.store.schema import metadata

device_sample = Table(
    "device_sample",
    metadata,
    Column("message_id", ForeignKey("message.id"), primary_key=True),
    Column("series", LargeBinary(16), primary_key=True),  # keyed hash of the person and the length of the window
    Column("window_at", BigInteger, primary_key=True),  # begin of the window
    Column("patient_id", String(64), nullable=True),
    Column("due_at", BigInteger, nullable=True),  # when the window is taken into the record; none: it was
    Column("body", LargeBinary, nullable=False),  # sealed, packed JSON: the values and what they refer to
)
_due = text("due_at IS NOT NULL")
# scheduler: which windows are over?
Index("device_sample_due", device_sample.c.due_at, sqlite_where=_due, postgresql_where=_due)
# scheduler: all values of a window
Index("device_sample_window", device_sample.c.series, device_sample.c.window_at)
