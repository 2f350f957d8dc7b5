"""The tables of the laboratory: orders found by number and told to instruments, whose a message is, critical values."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, text

from gateway.store.schema import metadata

lab_order = Table(
    "lab_order",
    metadata,
    Column("order_id", String(64), primary_key=True),
    Column("patient_id", String(64), nullable=False),
    Column("status", String(20), nullable=False),  # of the ServiceRequest
    Column("told_at", BigInteger, nullable=False),
)
_active = text("status = 'active'")
# an instrument that asks for everything: which orders wait?
Index("lab_order_active", lab_order.c.told_at, sqlite_where=_active, postgresql_where=_active)
# an instrument that asks by person
Index("lab_order_patient", lab_order.c.patient_id)

lab_number = Table(
    "lab_number",
    metadata,
    Column("key", LargeBinary(16), primary_key=True),
    Column("order_id", ForeignKey("lab_order.order_id"), primary_key=True),
    Column("kind", String(8), nullable=False),  # specimen, filler, placer
)

lab_call = Table(
    "lab_call",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("channel", String(64), nullable=False),
    Column("order_id", ForeignKey("lab_order.order_id"), nullable=False),
    Column("state", String(16), nullable=False),  # states.LAB_CALL
    Column("changed_at", BigInteger, nullable=False),  # when the order last said something new
    Column("due_at", BigInteger, nullable=False),
    Column("owner", String(64), nullable=False, server_default=""),  # the node that is at it
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("deaths", Integer, nullable=False, server_default="0"),  # of nodes that were at it
    Column("told_at", BigInteger, nullable=True),
    Column("specimen_key", LargeBinary(16), nullable=False),  # of the specimen that the instrument knows; empty = none
    Column("body", LargeBinary, nullable=False),  # sealed: what the instrument was last told; empty = nothing
    Column("fault_code", Integer, nullable=False, server_default="0"),
    Column("fault_where", Text, nullable=False, server_default=""),
    Column("fault_detail", Text, nullable=False, server_default=""),
)
# sources: what is an instrument to be told?
_owed = text("state = 'owed'")
Index("lab_call_due", lab_call.c.channel, lab_call.c.changed_at, sqlite_where=_owed, postgresql_where=_owed)
# what the record tells again
Index("lab_call_order", lab_call.c.order_id, lab_call.c.channel, unique=True)
# does an instrument know a specimen?
Index("lab_call_specimen", lab_call.c.channel, lab_call.c.specimen_key)
# people: what an instrument refused
_untold = text("state = 'error'")
Index("lab_call_wrong", lab_call.c.id, sqlite_where=_untold, postgresql_where=_untold)

lab_assignment = Table(
    "lab_assignment",
    metadata,
    Column("message_id", ForeignKey("message.id"), primary_key=True),
    Column("body", LargeBinary, nullable=False),  # sealed: the number of the person
    Column("at", BigInteger, nullable=False),
)

critical_value = Table(
    "critical_value",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("key", LargeBinary(16), nullable=False),  # of the result and its value: the same is told once
    Column("patient_id", String(64), nullable=False),
    Column("message_id", ForeignKey("message.id"), nullable=False),
    Column("state", String(16), nullable=False),  # open, acknowledged
    Column("raised_at", BigInteger, nullable=False),
    Column("acknowledged_at", BigInteger, nullable=True),
    Column("actor", String(255), nullable=False, server_default=""),
    Column("body", LargeBinary, nullable=False),  # sealed: what was found, and what a person said of it
)
Index("critical_value_key", critical_value.c.key, unique=True)
_open = text("state = 'open'")
# people and metrics: what nobody has acknowledged
Index("critical_value_open", critical_value.c.raised_at, sqlite_where=_open, postgresql_where=_open)
