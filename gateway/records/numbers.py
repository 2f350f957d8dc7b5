"""Give numbers of the gateway's own domain: one number for one person, whatever other numbers the person has.

A number is given once, for ever: also one that was never used stays taken, and one that a record has already, after a ledger
was brought back from an old copy, is passed over. Does not decide who may ask for one, nor whose it becomes: the system that
asked says so in the first message about the person.

Requirement: S2.1
"""

from __future__ import annotations

from sqlalchemy.engine import Connection

from gateway.records import search
from gateway.records.search import Wanted
from gateway.store import persons as rows
from gateway.store.sealed import Keyring


def allocate(connection: Connection, keyring: Keyring, system: str, message_id: str) -> str:
    """Take the next number of the domain `system` for the query `message_id`."""
    while True:
        number = written(rows.next_serial(connection, message_id))
        if not search.find(connection, keyring, Wanted([(system, number)])):
            return number


def written(serial: int) -> str:
    """Write a serial number as it goes out: `LT`, at least seven digits, two check digits.

    Never of the form of a national number. Standard: ISO/IEC 7064, MOD 97-10
    """
    return f"LT{serial:07d}{98 - serial * 100 % 97:02d}"
