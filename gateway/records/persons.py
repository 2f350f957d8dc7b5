"""One person, however many numbers: follow merges in both directions."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from gateway.store import resources as rows


def resolve(connection: Connection, patient_id: str) -> str:
    """Return the number that survived all merges of `patient_id`; itself when there was none."""
    seen = {patient_id}
    while (survivor := rows.survivor_of(connection, patient_id)) is not None and survivor not in seen:
        seen.add(survivor)
        patient_id = survivor
    return patient_id


def all_ids(connection: Connection, patient_id: str) -> list[str]:
    """Return every number of the person, the surviving one first."""
    ids = [resolve(connection, patient_id)]
    while more := [found for found in rows.merged_into(connection, ids) if found not in ids]:
        ids += more
    return ids


def merge(connection: Connection, survivor_id: str, replaced_id: str, message_id: str) -> None:
    """Note that two numbers are one person; a merge that would close a circle turns the older link round.

    Standard: HL7 v2.5.1 §3.3.40 (A40).
    """
    if resolve(connection, survivor_id) == replaced_id:
        rows.unlink(connection, survivor_id)
    if survivor_id != replaced_id:
        rows.link(connection, replaced_id, survivor_id, message_id)
