"""Queries: what somebody wants to know. They say nothing about anybody, so nothing but the header is made of them.

The gateway answers those that `mappings.hl7v2.query` understands.

Standard: HL7 v2.5.1 §5.4, §3.3.56–§3.3.59, §4.17.3
"""

from __future__ import annotations

from mappings.hl7v2.draft import Draft

TRIGGERS = (
    *("QBP^Q11", "QBP^Q21", "QBP^Q22", "QBP^Q23", "QBP^Q24", "VXQ^V01"),
    *("QRY^A19", "QRY^Q01", "QRY^Q02", "QRY^PC4", "QRY^R02", "QCN^J01", "QSX^J02"),
)


def map_message(draft: Draft) -> None:
    """Leave the question to whoever answers it."""
