"""What the groups of `HoSoBenhAn` have in common: the visit they are about, and how they write people, times and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mappings.documents import content, monitored, statements, wording
from mappings.documents.context import Context
from mappings.documents.record import Record, icd10
from mappings.outcome import Resource

REFERRAL = "3457005"
"""SNOMED CT: patient referral."""
_WRONG = frozenset({"entered-in-error", "cancelled"})


@dataclass(frozen=True)
class Visit:
    """One visit, in the record of its person."""

    record: Record
    encounter: Resource
    patient: Resource
    context: Context

    @property
    def number(self) -> str:
        """The number that holds the groups together: of the visit as the hospital knows it."""
        return content.identifier(self.encounter, "visit", "ma-lk") or str(self.encounter["id"])

    @property
    def start(self) -> str:
        return str(self.encounter.get("period", {}).get("start", ""))

    @property
    def end(self) -> str:
        return str(self.encounter.get("period", {}).get("end", ""))

    def field(self, *codes: str) -> str:
        """Give the first of several told fields that says something."""
        return next((text for code in codes if (text := self.record.field(code, self.encounter))), "")

    def code_and_words(self, code: str) -> tuple[str, str]:
        return self.record.coded_field(code, self.encounter)

    def of(self, resource_type: str, element: str = "encounter") -> list[Resource]:
        """Give the resources of this visit that were not taken back, by id."""
        about = f"Encounter/{self.encounter['id']}"
        found = [
            one
            for one in self.record.all(resource_type)
            if one.get(element, {}).get("reference") == about and one.get("status") not in _WRONG
        ]
        return sorted(found, key=lambda one: str(one["id"]))

    def diagnoses(self, *uses: str) -> list[Resource]:
        """Give the diagnoses of the visit that have one of the uses (`AD` admission, `DD` discharge), as ranked."""
        ranked = sorted(self.encounter.get("diagnosis", ()), key=lambda entry: entry.get("rank", 99))
        found = [
            self.record.follow(entry.get("condition"))
            for entry in ranked
            if statements.codes(entry.get("use")) & set(uses)
        ]
        return [one for one in found if one]

    def measured(self, code: str) -> str:
        """Give the number of the last vital sign with a LOINC code, or of its part."""
        return next((value for one in reversed(self.vital_signs()) if (value := number_of(one, code))), "")

    def vital_signs(self) -> list[Resource]:
        vital = [
            one
            for one in self.of("Observation")
            if "vital-signs" in {code for kind in one.get("category", ()) for code in statements.codes(kind)}
        ]
        return monitored.shown(statements.in_time(vital, "effectiveDateTime", "effectivePeriod"))

    def doctor(self, *references: Resource | None) -> Resource | None:
        return next(self.record.of_type(references, "Practitioner"), None)


def day(text: str) -> str:
    """Write `dd/mm/yyyy`; less when less is known."""
    return wording.short_date(text)


def moment(text: str) -> str:
    """Write `dd/mm/yyyy HH:MM:SS.mmm` in Vietnamese time; the day alone when there is no time."""
    at = wording.instant(text)
    return f"{at:%d/%m/%Y %H:%M:%S}.{at.microsecond // 1000:03d}" if at else day(text)


def person(practitioner: Resource | None) -> str:
    return wording.title_and_name(practitioner) if practitioner else ""


def licence(practitioner: Resource | None) -> str:
    return content.identifier(practitioner, "cchn", "staff") if practitioner else ""


def joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


def words(conditions: Sequence[Resource]) -> str:
    return joined(wording.concept(one.get("code")) for one in conditions)


def icd(conditions: Sequence[Resource]) -> str:
    return joined(icd10(one) for one in conditions)


def number_of(observation: Resource, code: str) -> str:
    """Give the value of an Observation, or of its component, that has a LOINC code; digits as received."""
    for one in (observation, *observation.get("component", ())):
        if code in statements.codes(one.get("code")) and "valueQuantity" in one:
            return wording.amount(one["valueQuantity"])
    return ""


def local_code(concept: Resource | None) -> str:
    """Give the code of a concept in the hospital's own catalogue, else the first there is."""
    codings = (concept or {}).get("coding", [])
    own = [c for c in codings if "/sid/" in c.get("system", "")]
    return next((str(c["code"]) for c in (*own, *codings) if c.get("code")), "")
