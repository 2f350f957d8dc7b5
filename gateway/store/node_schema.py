"""The tables of nodes, beside those of `schema.py`: few rows, read whole."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, String, Table, Text

from gateway.store.schema import metadata

node = Table(
    "node",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("run", String(36), nullable=False),  # a new one at every start
    Column("roles", Text, nullable=False),  # with a space between them
    Column("version", String(32), nullable=False),
    Column("revision", String(16), nullable=False),  # of the newest schema that its code knows
    Column("state", String(16), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("beat", BigInteger, nullable=False),  # counts up while it lives: no clock of another machine is believed
    Column("seen_at", BigInteger, nullable=False),  # by its own clock, for people
)

lease = Table(
    "lease",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", String(64), nullable=False, server_default=""),
    Column("token", BigInteger, nullable=False, server_default="0"),  # one more for every new holder
    Column("until", BigInteger, nullable=False, server_default="0"),
)
"""What one node does for all."""

duty = Table(
    "duty",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("ran_at", BigInteger, nullable=False),
    Column("node", String(64), nullable=False),
)

schema_floor = Table(
    "schema_floor",
    metadata,
    Column("revision", String(16), primary_key=True),
)
"""One row: code that does not know this revision may not work on this schema."""
