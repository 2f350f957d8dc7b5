"""Say in one line whose document a CDA document is, for lists of people who work with it. Personal data."""

from __future__ import annotations

from mappings.cda.markup import NS
from mappings.formats import safe_xml

_V3 = {"v": NS}
_LONGEST = 120


def whose(cda: bytes) -> str:
    """Give the patient's name and year of birth, as far as the header says them; raises XmlRefused."""
    patient = safe_xml.parse(cda).find("v:recordTarget/v:patientRole/v:patient", _V3)
    if patient is None:
        return ""
    name = patient.find("v:name", _V3)
    shown = "" if name is None else " ".join(" ".join(str(part) for part in name.itertext()).split())
    born = patient.find("v:birthTime", _V3)
    year = "" if born is None else born.get("value", "")[:4]
    return ", ".join(part[:_LONGEST] for part in (shown, year) if part)
