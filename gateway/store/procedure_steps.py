"""Rows of `procedure_step`: what modalities say of how their work goes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from gateway.states import PROCEDURE_STEP, advance, sources
from gateway.store.image_schema import procedure_step, study


def begin(connection: Connection, **values: Any) -> bool:
    """Enter a step; False when there is one of its UID."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(procedure_step).values(**values, state="in_progress")
    statement = statement.on_conflict_do_nothing(index_elements=["sop_instance"])
    return connection.execute(statement.returning(procedure_step.c.sop_instance)).first() is not None


def get(connection: Connection, sop_instance: str) -> Row[Any] | None:
    query = sa.select(procedure_step).where(procedure_step.c.sop_instance == sop_instance)
    return connection.execute(query).one_or_none()


def change(connection: Connection, row: Row[Any], event: str, **values: Any) -> bool:
    """Move a step on; False when it changed since `row` was read. Raises NotPossibleNow."""
    state = advance(PROCEDURE_STEP, row.state, event)
    found = connection.execute(
        procedure_step.update()
        .where(
            procedure_step.c.sop_instance == row.sop_instance,
            procedure_step.c.state.in_(sources(PROCEDURE_STEP, event)),
            procedure_step.c.last_key == row.last_key,
        )
        .values(state=state, **values)
    )
    return bool(found.rowcount)


def expected(study_uid: str) -> sa.ScalarSelect[Any]:
    """Give how many objects the steps of a study made; null while one goes on, and where one does not say."""
    made = procedure_step.c.instances
    unknown = sa.func.count() > sa.func.count(made)
    total = sa.func.nullif(sa.func.sum(made), 0)
    query = sa.select(sa.case((unknown, None), else_=total)).where(procedure_step.c.study_uid == study_uid)
    return query.scalar_subquery()


def expect(connection: Connection, study_uid: str, now: int) -> None:
    """Note how many objects a study shall have; one that has them all is due now."""
    told = expected(study_uid)
    connection.execute(
        study.update()
        .where(study.c.uid == study_uid)
        .values(
            expected=told,
            due_at=sa.case(
                (sa.and_(study.c.due_at.is_not(None), study.c.instances >= told), now), else_=study.c.due_at
            ),
        )
    )
