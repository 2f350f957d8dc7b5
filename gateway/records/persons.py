"""One person, however many numbers: follow merges in both directions."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from gateway.store import persons as rows


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
