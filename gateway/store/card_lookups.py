"""Rows of `card_lookup`: every question to an insurer about a card, by whom and at which moment of a visit.

Requirement: S4.1, S1.10
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.store.card_schema import card_lookup


def insert(
    connection: Connection,
    row_id: str,
    *,
    at: int,
    destination: str,
    actor: str,
    moment: str,
    question: bytes,
    encounter_id: str = "",
    patient_id: str = "",
) -> None:
    """Note a question that is about to be asked."""
    connection.execute(
        card_lookup.insert().values(
            id=row_id,
            at=at,
            destination=destination,
            actor=actor[:64],
            moment=moment,
            question=question,
            encounter_id=encounter_id,
            patient_id=patient_id,
        )
    )


def answered(connection: Connection, row_id: str, code: str) -> None:
    connection.execute(card_lookup.update().where(card_lookup.c.id == row_id).values(code=code[:8]))


def failed(connection: Connection, row_id: str, fault_code: int) -> None:
    connection.execute(card_lookup.update().where(card_lookup.c.id == row_id).values(fault_code=fault_code))


def count_since(connection: Connection, destination: str, since: int) -> int:
    """Count the questions to a destination from an instant on."""
    query = sa.select(sa.func.count()).where(card_lookup.c.destination == destination, card_lookup.c.at >= since)
    return int(connection.scalar(query) or 0)


def asked(connection: Connection, question: bytes, since: int) -> list[Row[Any]]:
    """Return the same question's rows from an instant on, newest first."""
    query = sa.select(card_lookup).where(card_lookup.c.question == question, card_lookup.c.at >= since)
    return list(connection.execute(query.order_by(card_lookup.c.at.desc())))


def of_encounter(connection: Connection, encounter_id: str) -> list[Row[Any]]:
    """Return what was asked during a visit, oldest first."""
    query = sa.select(card_lookup).where(card_lookup.c.encounter_id == encounter_id)
    return list(connection.execute(query.order_by(card_lookup.c.at)))


def listing(connection: Connection, destination: str, since: int, limit: int) -> list[Row[Any]]:
    """Return the newest questions to a destination from an instant on, newest first; `limit` 0 = all."""
    query = sa.select(card_lookup).where(card_lookup.c.destination == destination, card_lookup.c.at >= since)
    return list(connection.execute(query.order_by(card_lookup.c.at.desc()).limit(limit or None)))


def by_actor(connection: Connection, destination: str, since: int) -> list[Row[Any]]:
    """Count the questions from an instant on by who asked, most first."""
    n = sa.func.count().label("n")
    query = (
        sa.select(card_lookup.c.actor, n)
        .where(card_lookup.c.destination == destination, card_lookup.c.at >= since)
        .group_by(card_lookup.c.actor)
        .order_by(n.desc(), card_lookup.c.actor)
    )
    return list(connection.execute(query))
