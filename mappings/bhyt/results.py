"""One laboratory result, in the forms of table XML4."""

from __future__ import annotations

import unicodedata

from mappings.bhyt.sheet import Sheet, licence_of
from mappings.documents import wording
from mappings.documents.record import value_text
from mappings.formats import dates
from mappings.outcome import Resource
from mappings.systems import LOINC

LONGEST_VALUE = 255


def row_number(sheet: Sheet) -> str:
    return str(sheet.number)


def service_code(sheet: Sheet) -> str:
    """Give the code of the service that was ordered."""
    requests = sheet.record.of_type(sheet.subject.get("basedOn", []), "ServiceRequest")
    concepts = [sheet.subject.get("code", {}), *(request.get("code", {}) for request in requests)]
    return next((code for concept in concepts if (code := _local_code(concept))), "")


def index_code(sheet: Sheet) -> str:
    """Give the facility's code of the index; without one its name, unaccented and without spaces, as QĐ 3176 asks."""
    plain = unicodedata.normalize("NFD", index_name(sheet).replace("đ", "d").replace("Đ", "D"))
    named = "".join(char for char in plain if not unicodedata.combining(char) and not char.isspace())
    return _local_code(sheet.row.get("code", {})) or named


def index_name(sheet: Sheet) -> str:
    return wording.concept(sheet.row.get("code"))


def value(sheet: Sheet) -> str:
    """Give the result with the digits it came with; a longer text than the field takes goes to MO_TA."""
    text = value_text(sheet.row)
    return text if len(text) <= LONGEST_VALUE else ""


def unit(sheet: Sheet) -> str:
    return wording.unit(sheet.row.get("valueQuantity", {}))


def findings(sheet: Sheet) -> str:
    """Give the remarks on the result, after a text too long for GIA_TRI."""
    text = value_text(sheet.row)
    notes = [note.get("text", "") for note in sheet.row.get("note", [])]
    return "\n".join(part for part in ([text] if len(text) > LONGEST_VALUE else []) + notes if part)


def conclusion(sheet: Sheet) -> str:
    said: str = sheet.subject.get("conclusion", "")
    return said


def resulted_at(sheet: Sheet) -> str:
    """Give when the result was there, not when the specimen was taken."""
    return dates.fhir_to_yyyymmddhhmm(sheet.row.get("issued") or sheet.subject.get("issued", ""))


def reader_licence(sheet: Sheet) -> str:
    """Give who read the result: of the report, else of the result, else who performed the report."""
    listed = [
        sheet.subject.get("resultsInterpreter", []),
        sheet.row.get("performer", []),
        sheet.subject.get("performer", []),
    ]
    people = (person for references in listed for person in sheet.record.of_type(references, "Practitioner"))
    return next((licence for person in people if (licence := licence_of(sheet, person))), "")


def _local_code(concept: Resource) -> str:
    return next((c["code"] for c in concept.get("coding", []) if c.get("code") and c.get("system") != LOINC), "")
