"""Statements that every message costs, run on the driver underneath SQLAlchemy.

SQLAlchemy costs 50 to 100 microseconds a statement, which is what a whole message costs on the way in, and it is asked a dozen
things when a message is mapped. The statement is still
written in SQLAlchemy and compiled by it once per engine, so that there is one schema; values go to the driver as they are, so
only types that every driver takes alike are allowed (text, int, bytes, None). Measured in `benchmarks/intake.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import ClauseElement
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

T = TypeVar("T")


class Raw:
    """A statement that is run often, or for many rows at once."""

    def __init__(self, statement: ClauseElement, keys: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._keys = list(keys) if keys is not None else None
        self._compiled: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {}

    def run(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Execute for every row, in the transaction of `connection`."""
        with _cursor(connection) as cursor:
            cursor.executemany(*self._bound(connection, rows))

    def one(self, connection: Connection, row: dict[str, Any]) -> tuple[Any, ...] | None:
        """Execute for one row and give the first that it returns; None where it returns nothing."""
        with _cursor(connection) as cursor:
            text, (values,) = self._bound(connection, [row])
            cursor.execute(text, values)
            found: tuple[Any, ...] | None = cursor.fetchone() if cursor.description else None
            return found

    def all(self, connection: Connection, row: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Execute for one row and give all that it returns."""
        with _cursor(connection) as cursor:
            text, (values,) = self._bound(connection, [row])
            cursor.execute(text, values)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def each(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
        """Execute for every row and give all that they return."""
        found: list[tuple[Any, ...]] = []
        with _cursor(connection) as cursor:
            text, bound = self._bound(connection, rows)
            for values in bound:
                cursor.execute(text, values)
                found += cursor.fetchall()
        return found

    def changed(self, connection: Connection, row: dict[str, Any]) -> int:
        """Execute for one row and give how many rows it changed."""
        with _cursor(connection) as cursor:
            text, (values,) = self._bound(connection, [row])
            cursor.execute(text, values)
            return int(cursor.rowcount)

    def attempt(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> bool:
        """Execute for every row; when one of them breaks a constraint, for none, and return False."""
        with _cursor(connection) as cursor:
            cursor.execute("SAVEPOINT attempt")
            try:
                cursor.executemany(*self._bound(connection, rows))
            except connection.dialect.loaded_dbapi.IntegrityError:
                cursor.execute("ROLLBACK TO SAVEPOINT attempt")
                return False
            cursor.execute("RELEASE SAVEPOINT attempt")
            return True

    def _bound(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> tuple[str, list[Any]]:
        text, arranged = self._compiled.get(connection.dialect.name) or self._compile(connection)
        return text, [arranged(row) for row in rows]

    def _compile(self, connection: Connection) -> tuple[str, Callable[[dict[str, Any]], Any]]:
        compiled = self._statement.compile(dialect=connection.dialect, column_keys=self._keys)
        own = {name: value for name, value in compiled.params.items() if value is not None}
        self._compiled[connection.dialect.name] = str(compiled), _arranging(getattr(compiled, "positiontup", None), own)
        return self._compiled[connection.dialect.name]


def _arranging(order: Sequence[str] | None, own: Mapping[str, Any]) -> Callable[[dict[str, Any]], Any]:
    """Give what puts the values of a row in the order in which the driver wants them; None: it wants them by name.

    `own` are values of the statement itself, such as the OFFSET that SQLite is told beside a LIMIT.
    """
    if own:
        plain = _arranging(order, {})
        return lambda row: plain({**own, **row})
    if order is None:
        return lambda row: row
    return (lambda row: (row[order[0]],)) if len(order) == 1 else itemgetter(*order)


class Spread:
    """A statement that changes many rows at once: run for each of them on SQLite, on PostgreSQL run once over arrays of values.

    PostgreSQL takes twice the CPU for thirty executions of one row as for one execution of thirty.
    """

    def __init__(
        self,
        values: Mapping[str, sa.types.TypeEngine[Any]],
        write: Callable[[Mapping[str, sa.ColumnElement[Any]]], ClauseElement],
    ) -> None:
        """`write` makes the statement from expressions for the values of a row."""
        self._each = Raw(write({name: sa.bindparam(name, type_=type_) for name, type_ in values.items()}))
        self._all = Raw(write(dict(_given(values).columns.items())))
        self._names = list(values)

    def run(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Execute for every row, in the transaction of `connection`."""
        if connection.dialect.name == "postgresql":
            self._all.one(connection, {name: [row[name] for row in rows] for name in self._names})
        else:
            self._each.run(connection, rows)


def padded(ids: Iterable[T]) -> list[T]:
    """Repeat the last of a list that stands after IN until its length is a power of two.

    Each length is a statement of its own. The drivers compile it and keep a hundred or so; those that come and go all the time
    leave holes in memory. Padded, lists of up to 500 are ten statements.
    """
    found = list(ids)
    return found + found[-1:] * ((1 << (len(found) - 1).bit_length()) - len(found)) if found else found


class Each:
    """A question asked about many rows at once: for each of them on SQLite, on PostgreSQL once over arrays of values.

    Its text is the same however many they are, for the reason that `padded` has.
    """

    def __init__(
        self,
        values: Mapping[str, sa.types.TypeEngine[Any]],
        ask: Callable[[Mapping[str, sa.ColumnElement[Any]]], sa.Select[Any]],
    ) -> None:
        """`ask` makes the question about one row from expressions for its values; it is looked up for each, never joined."""
        self._each = Raw(ask({name: sa.bindparam(name, type_=type_) for name, type_ in values.items()}))
        given = _given(values)
        answers = ask(dict(given.columns.items())).lateral("answers")
        self._all = Raw(sa.select(answers).select_from(given.join(answers, sa.true())))
        self._names = list(values)

    def all(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
        """Give all that is found for these rows, in their order on SQLite, in any on PostgreSQL."""
        if connection.dialect.name == "postgresql":
            return self._all.all(connection, {name: [row[name] for row in rows] for name in self._names})
        return self._each.each(connection, rows)


def _given(values: Mapping[str, sa.types.TypeEngine[Any]]) -> sa.TableValuedAlias:
    """Give PostgreSQL's table of the rows whose values come as arrays, one for each column."""
    arrays = [sa.bindparam(name, type_=postgresql.ARRAY(type_)) for name, type_ in values.items()]
    columns = (sa.column(*one) for one in values.items())
    return sa.func.unnest(*arrays).table_valued(*columns, name="given").render_derived()


@contextmanager
def _cursor(connection: Connection) -> Iterator[Any]:
    if not connection.in_transaction():
        connection.begin()  # what is read is of one moment
    as_stored = connection.dialect.name == "postgresql" and connection.get_execution_options().get("as_stored", False)
    cursor = connection.connection.cursor(binary=True) if as_stored else connection.connection.cursor()
    try:
        yield cursor
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError(None, None, error) from None
    finally:
        cursor.close()
