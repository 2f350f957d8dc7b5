"""The table by which messages are found, beside those of `schema.py`."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, String, Table

from gateway.store.schema import metadata

message_key = Table(
    "message_key",
    metadata,
    Column("key", LargeBinary(16), primary_key=True),
    Column("message_id", String(36), primary_key=True),
    sqlite_with_rowid=False,
)
"""Search keys of the numbers in every message: HMACs, so the table says nothing by itself. Found by `key`.

The keys follow from the bytes of the message, so whoever deletes one finds its keys too; that is why nothing refers back.
"""
