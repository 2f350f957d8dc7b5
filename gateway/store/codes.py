"""Rows of `unmapped_code`: site codes that no table takes to a shared catalogue, and how often they come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from gateway.store.raw import Raw
from gateway.store.schema import unmapped_code

_COUNT = Raw(
    sa.text(
        "INSERT INTO unmapped_code (system, code, field, display, messages, first_at, last_at)"
        " VALUES (:system, :code, :field, :display, :messages, :first_at, :last_at)"
        " ON CONFLICT (system, code, field) DO UPDATE SET messages = unmapped_code.messages + excluded.messages,"
        " display = excluded.display, last_at = excluded.last_at"
    ),
    ("system", "code", "field", "display", "messages", "first_at", "last_at"),
)


def count(connection: Connection, messages: Iterable[tuple[Iterable[tuple[str, str, str, str]], int]]) -> None:
    """Count (system, code, field, display) of messages, with the moment of each message: each once a message."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for codes, at in messages:
        once = {(system[:255], code[:255], field[:16]): display[:255] for system, code, field, display in codes}
        for key, display in once.items():
            known = found.setdefault(key, {"messages": 0, "first_at": at})
            known |= {"messages": known["messages"] + 1, "display": display, "last_at": at}
    if found:
        # always in one order, so that two nodes that count the same codes wait for each other and never lock each other out
        rows = [dict(zip(("system", "code", "field"), key, strict=True)) | found[key] for key in sorted(found)]
        _COUNT.run(connection, rows)


def is_new(connection: Connection, code: tuple[str, str, str, str], since: int) -> bool:
    """Tell whether a code of this system and field was not counted since a moment."""
    system, said, field, _ = code
    found = _LAST.one(connection, {"system": system[:255], "code": said[:255], "field": field[:16]})
    return found is None or int(found[0]) < since


_LAST = Raw(
    sa.text("SELECT last_at FROM unmapped_code WHERE system = :system AND code = :code AND field = :field"),
)


def listing(connection: Connection, limit: int = 0) -> list[Row[Any]]:
    """Return the codes, the most frequent first."""
    query = sa.select(unmapped_code).order_by(
        unmapped_code.c.messages.desc(), unmapped_code.c.system, unmapped_code.c.code, unmapped_code.c.field
    )
    return list(connection.execute(query.limit(limit or None)))
