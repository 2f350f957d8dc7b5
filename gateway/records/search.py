"""Find persons by numbers and demographics, through keys kept beside the sealed resources.

Every Patient has keys for its numbers, its whole names, first and last word of its names (alone and with the date of birth),
date of birth and telephone. The keys are made of folded values without accents; what they find is opened and compared with all
that is known, so accents count when the question has some. Does not decide who may ask (`gateway/queries.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from gateway.faults import QueryTooWide
from gateway.records.versions import opened
from gateway.store import persons as person_rows
from gateway.store import resources as rows
from gateway.store.engine import Store
from gateway.store.sealed import Keyring
from mappings.formats.identifiers import full_name, match_key, match_key_unaccented
from mappings.outcome import Resource

CANDIDATES = 2000
"""Patients that are opened for one question at most; a wider question is refused."""
_BATCH = 500
_MOTHER = "patient-mothersMaidenName"


@dataclass(frozen=True)
class Wanted:
    """Whom a question describes; what is empty was not asked. Values are as a sender writes them."""

    numbers: Sequence[tuple[str, str]] = ()
    """(system, value); the system may be empty. One of them must be the person's."""
    family: str = ""
    middle: str = ""
    given: str = ""
    mother: str = ""
    birth_date: str = ""
    sex: str = ""
    """FHIR administrative-gender."""
    phone: str = ""
    address: Sequence[str] = ()


# ---- keys ----


def keys_of(patient: Resource, keyring: Keyring) -> set[bytes]:
    """Make the search keys of a Patient."""
    return {keyring.search_key("person", value) for value in _values(patient)}


def _values(patient: Resource) -> Iterator[str]:
    for identifier in patient.get("identifier", ()):
        value = _number(identifier.get("value", ""))
        if value:
            yield f"number|{identifier.get('system', '')}|{value}"
            yield f"number||{value}"
    born = str(patient.get("birthDate", ""))
    for name in patient.get("name", ()):
        words = match_key_unaccented(_whole(name)).split()
        if words:
            ends = f"{words[0]}|{words[-1]}"
            yield f"name|{' '.join(words)}"
            yield f"ends|{ends}"
            if len(born) == 10:
                yield f"ends|{ends}|{born}"
    if len(born) == 10:
        yield f"born|{born}"
    for point in patient.get("telecom", ()):
        if phone := _phone(point.get("value", "")):
            yield f"phone|{phone}"


def _asked(wanted: Wanted) -> list[str]:
    """Give the keys to look under, all of the most selective kind that the question has; none when it is too wide."""
    if wanted.numbers:
        return [f"number|{system}|{_number(value)}" for system, value in wanted.numbers]
    words = match_key_unaccented(full_name(wanted.family, wanted.middle, wanted.given)).split()
    both = bool(wanted.given and wanted.family) or len(words) > 2
    if both and len(wanted.birth_date) == 10:
        return [f"ends|{words[0]}|{words[-1]}|{wanted.birth_date}"]
    if phone := _phone(wanted.phone):
        return [f"phone|{phone}"]
    if len(wanted.birth_date) == 10:
        return [f"born|{wanted.birth_date}"]
    if wanted.middle or len(words) > 2:
        return [f"name|{' '.join(words)}"]
    return [f"ends|{words[0]}|{words[-1]}"] if both else []


def changed(connection: Connection, keyring: Keyring, patient_id: str, old: Resource | None, new: Resource) -> None:
    """Bring the keys of a Patient from one version to the next; what stays the same is not written."""
    after = keys_of(new, keyring)
    before = keys_of(old, keyring) if old is not None else set()
    person_rows.put_keys(connection, [(patient_id, key) for key in sorted(after - before)])
    person_rows.drop_keys(connection, [(patient_id, key) for key in sorted(before - after)])


async def fill(store: Store, keyring: Keyring) -> int:
    """Make the keys of Patients that were stored before there were any; return of how many.

    Safe beside running nodes and to repeat: in small transactions, each Patient's newest version.
    """
    done, after = 0, ""
    while found := await store.read(lambda c, after=after: person_rows.without_keys(c, after, _BATCH)):  # type: ignore[misc]
        ids = [row.id for row in found]
        await store.write(lambda c, ids=ids: _fill(c, keyring, ids))  # type: ignore[misc]
        done, after = done + len(ids), ids[-1]
    return done


def _fill(connection: Connection, keyring: Keyring, ids: list[str]) -> None:
    for row in rows.current(connection, [("Patient", id_) for id_ in ids]):
        changed(connection, keyring, row.id, None, opened(keyring, row))


# ---- the search ----


def find(connection: Connection, keyring: Keyring, wanted: Wanted) -> list[str]:
    """Return the ids of the Patients that fit, those spelled as asked first.

    Raises `QueryTooWide` for a question that describes nearly everybody.
    """
    asked = _asked(wanted)
    if not asked:
        raise QueryTooWide(detail="ask by number, telephone, date of birth or whole name")
    ids: dict[str, None] = {}
    for value in asked:
        key = keyring.search_key("person", value)
        ids |= dict.fromkeys(person_rows.with_key(connection, key, CANDIDATES + 1 - len(ids)))
        if len(ids) > CANDIDATES:
            raise QueryTooWide(detail=f"more than {CANDIDATES} persons to compare")
    fitting: list[tuple[bool, str]] = []
    for row in rows.current(connection, [("Patient", id_) for id_ in ids]):
        patient = opened(keyring, row)
        if _fits(patient, wanted):
            fitting.append((not _spelled_alike(patient, wanted), row.id))
    return [patient_id for _, patient_id in sorted(fitting)]


def _fits(patient: Resource, wanted: Wanted) -> bool:
    """Compare everything that was asked; a Patient that does not have what was asked does not fit."""
    if wanted.birth_date and not str(patient.get("birthDate", "")).startswith(wanted.birth_date):
        return False
    if wanted.sex and patient.get("gender") != wanted.sex:
        return False
    if wanted.phone:
        phones = {_phone(point.get("value", "")) for point in patient.get("telecom", ())}
        if _phone(wanted.phone) not in phones:
            return False
    if (wanted.family or wanted.middle or wanted.given) and not any(
        _name_fits(_whole(name), wanted) for name in patient.get("name", ())
    ):
        return False
    if wanted.mother:
        mothers = [one.get("valueString", "") for one in patient.get("extension", ()) if one["url"].endswith(_MOTHER)]
        if not any(_within(wanted.mother, mother) for mother in mothers):
            return False
    places = [" ".join(_texts(address)) for address in patient.get("address", ())]
    return all(any(_within(part, place) for place in places) for part in wanted.address if part)


def _name_fits(name: str, wanted: Wanted) -> bool:
    asked = full_name(wanted.family, wanted.middle, wanted.given)
    fold = match_key if match_key(asked) != match_key_unaccented(asked) else match_key_unaccented
    words = fold(name).split()
    family, middle, given = (fold(part).split() for part in (wanted.family, wanted.middle, wanted.given))
    rest = words[len(family) : len(words) - len(given)]
    return (
        words[: len(family)] == family
        and (not given or words[-len(given) :] == given)
        and len(family) + len(given) <= len(words)
        and (not middle or rest == middle)
    )


def _spelled_alike(patient: Resource, wanted: Wanted) -> bool:
    asked = match_key(full_name(wanted.family, wanted.middle, wanted.given))
    return any(match_key(_whole(name)) == asked for name in patient.get("name", ()))


def _within(part: str, whole: str) -> bool:
    return f" {match_key_unaccented(part)} " in f" {match_key_unaccented(whole).replace(',', ' ')} "


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, below in value.items():
            if name not in ("use", "type", "extension", "period"):
                yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)


def _whole(name: Resource) -> str:
    text = name.get("text") or " ".join((name.get("family", ""), *name.get("given", ())))
    return str(text)


def _number(value: str) -> str:
    return value.strip().casefold()


def _phone(value: str) -> str:
    """Give the digits of a telephone number that do not depend on how the country is written."""
    digits = "".join(char for char in value if char.isdecimal())
    return digits[-9:] if len(digits) >= 8 else ""
