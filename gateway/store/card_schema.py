"""The table of card look-ups, beside those of `schema.py`.

Every index says which query it serves; `tests/plans` asks both engines whether they use it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table

from gateway.store.schema import metadata

card_lookup = Table(
    "card_lookup",
    metadata,
    Column("id", String(36), primary_key=True),  # also of the message that holds the answer, where there is one
    Column("at", BigInteger, nullable=False),
    Column("destination", String(64), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("moment", String(16), nullable=False),  # reception, treatment, discharge, history
    Column("encounter_id", String(64), nullable=False, server_default=""),
    Column("patient_id", String(64), nullable=False, server_default=""),
    Column("question", LargeBinary(16), nullable=False),  # search key over what was asked
    Column("code", String(8), nullable=False, server_default=""),  # empty: no answer
    Column("fault_code", Integer, nullable=False, server_default="0"),
)
"""One question to an insurer; it counts whether it was answered or not."""
Index("card_lookup_day", card_lookup.c.destination, card_lookup.c.at)  # quota: how many today?
Index(
    "card_lookup_encounter", card_lookup.c.encounter_id, card_lookup.c.at
)  # desk: which of the three moments are done?
Index("card_lookup_question", card_lookup.c.question, card_lookup.c.at)  # desk: was the same asked just now?
