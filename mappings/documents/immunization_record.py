"""Phiếu tiêm chủng: all vaccinations of a person that are known; one paper per person, every vaccination makes a new version.

Form: no national form of a printed vaccination record was found; labels and order are ours (mark L). Legal source: NĐ
104/2016 and TT 34/2018/TT-BYT on vaccination. Trigger: VXU V04. Required: facility, name, birth, sex, at least one
vaccination; where one is missing the paper waits for a person. A vaccination that was refused is shown with its reason, one
that was deleted is not. When the next one is due is shown only when somebody told it; nothing is forecast here. Visits and
their diagnoses do not travel with the paper.

Requirement: S3.15
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import content, statements, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.faults import PaperIncomplete
from mappings.documents.record import Record, value_text
from mappings.outcome import Resource
from mappings.systems import LOINC

_WRONG = frozenset({"entered-in-error", "cancelled"})
_CONTRAINDICATIONS = frozenset({"30945-0", "59784-9", "59785-6"})
"""LOINC: contraindication or precaution, disease with presumed immunity, and what else keeps from vaccinating."""
_FORECASTS = {
    "30979-9": "Vắc xin cần tiêm tiếp",
    "30980-7": "Ngày đến hạn tiêm",
    "30981-5": "Ngày sớm nhất có thể tiêm",
    "59777-3": "Ngày muộn nhất có thể tiêm",
    "59778-1": "Ngày quá hạn",
}


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the person who was vaccinated."""
    given = [r.get("patient", {}).get("reference", "") for r in resources if r["resourceType"] == "Immunization"]
    return [reference for reference in dict.fromkeys(given) if reference]


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the paper says about a person; raises `PaperIncomplete` when no vaccination is left."""
    patient = record.patient("immunization_record", {"subject": {"reference": f"Patient/{subject['id']}"}})
    issued = wording.stamp(context.issued_at)
    given = [one for one in record.all("Immunization") if one.get("status") not in _WRONG]
    given = statements.in_time(given, "occurrenceDateTime")
    if not given:
        raise PaperIncomplete("Vắc xin (TEN_VACXIN)", "TEN_VACXIN ← RXA-5")
    relatives = content.guardians(record, patient, issued)
    cards = record.cards(issued, issued)
    precautions = _told(record, _CONTRAINDICATIONS)
    forecasts = _told(record, _FORECASTS)
    recommendations = list(record.all("ImmunizationRecommendation"))
    phones = [t.get("value", "") for t in patient.get("telecom", []) if t.get("system", "phone") in ("phone", "sms")]
    return Content(
        event_at=issued,
        patient=patient,
        encounter=None,
        professional=_answers(record, given),
        values={
            **content.furniture(record, None, context),
            **content.person(record, patient, None, issued),
            **content.card(record, patient, cards),
            "DIEN_THOAI": "; ".join(dict.fromkeys(phone for phone in phones if phone)),
        },
        entries={
            "person": [patient, *relatives, *cards],
            "immunizations": given,
            "precautions": precautions,
            "forecast": [*recommendations, *forecasts],
        },
        lines={
            "immunizations": [statements.vaccination(n, record, one) for n, one in enumerate(given, 1)],
            "precautions": [_precaution(n, record, one) for n, one in enumerate(precautions, 1)],
            "forecast": [
                *(line for one in recommendations for line in _recommended(one)),
                *(_forecast(record, one) for one in forecasts),
            ],
        },
        apart=frozenset({"Encounter"}),
    )


def _answers(record: Record, given: Sequence[Resource]) -> Resource | None:
    """Give who gave the last vaccination."""
    for one in reversed(given):
        parts = sorted(one.get("performer", []), key=lambda part: "AP" not in statements.codes(part.get("function")))
        for person in record.of_type([part.get("actor") for part in parts], "Practitioner"):
            return person
    return None


def _told(record: Record, codes: frozenset[str] | dict[str, str]) -> list[Resource]:
    found = [
        one
        for one in record.all("Observation")
        if one.get("status") not in _WRONG and any(code in codes for code in _loinc(one))
    ]
    return statements.in_time(found, "effectiveDateTime", "issued")


def _loinc(observation: Resource) -> list[str]:
    return [c.get("code", "") for c in observation.get("code", {}).get("coding", []) if c.get("system") == LOINC]


def _vaccine(record: Record, observation: Resource) -> str:
    about = next(record.of_type(observation.get("partOf", []), "Immunization"), {})
    return wording.concept(about.get("vaccineCode"))


def _precaution(n: int, record: Record, observation: Resource) -> dict[str, str]:
    return {
        "STT_CCD": str(n),
        "NGAY_CCD": wording.short_date(observation.get("effectiveDateTime", "")),
        "VACXIN_CCD": _vaccine(record, observation),
        "TEN_CCD": wording.concept(observation.get("code")),
        "NOI_DUNG_CCD": value_text(observation),
    }


def _forecast(record: Record, observation: Resource) -> dict[str, str]:
    named = next((_FORECASTS[code] for code in _loinc(observation) if code in _FORECASTS), "")
    return {"VACXIN_HEN": _vaccine(record, observation), "ND_HEN": named, "NGAY_HEN": value_text(observation)}


def _recommended(recommendation: Resource) -> list[dict[str, str]]:
    lines = []
    for one in recommendation.get("recommendation", []):
        vaccine = "; ".join(wording.concept(code) for code in one.get("vaccineCode", []))
        number = one.get("doseNumberPositiveInt") or one.get("doseNumberString", "")
        for criterion in one.get("dateCriterion", []):
            lines.append(
                {
                    "VACXIN_HEN": f"{vaccine}, mũi {number}" if number else vaccine,
                    "ND_HEN": wording.concept(criterion.get("code")),
                    "NGAY_HEN": wording.short_date(criterion.get("value", "")),
                }
            )
    return lines
