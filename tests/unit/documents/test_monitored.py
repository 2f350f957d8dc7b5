"""What a monitor measured stands in the health summary and the record's export: the last of each day, and nothing else."""

from __future__ import annotations

from pathlib import Path

from mappings import cda, documents
from mappings.documents import monitored
from mappings.formats import er7
from mappings.hl7v2 import Context as MessageContext
from mappings.hl7v2 import map_message
from mappings.outcome import Resource
from tests.unit.documents.samples import CONTEXT, sample

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
PAPER = "health_summary"


def measured(case: str, subject: str, encounter: str) -> list[Resource]:
    """Map a report and put it into the record of the sample's person and visit."""
    raw = (GOLDEN / case / "input.hl7").read_bytes()
    found = []
    for one in map_message(er7.Message.parse(raw), MessageContext(facility="01999")).resources:
        if one["resourceType"] in ("Observation", "Device", "DeviceMetric"):
            if one["resourceType"] == "Observation":
                one = {**one, "subject": {"reference": subject}, "encounter": {"reference": encounter}}
            found.append(one)
    return found


def summary(*cases: str) -> str:
    subject, record = sample(PAPER)
    patient = next(f"Patient/{one['id']}" for one in record if one["resourceType"] == "Patient")
    more = [one for case in cases for one in measured(case, patient, subject)]
    bundle = documents.compose(PAPER, subject, [*record, *more], CONTEXT)
    return cda.render(bundle).decode()


def test_vital_signs_of_a_monitor_stand_in_the_health_summary() -> None:
    text = summary("oru_r01/monitor")
    for shown in ("Mạch", "Nhịp thở", "SpO₂", "Nhiệt độ", "Huyết áp", "37.20", "128"):
        assert shown in text, shown
    assert "MDC_ECG_HEART_RATE" not in summary_table(text)


def summary_table(text: str) -> str:
    """Give the words of the narratives, without codes of entries."""
    return "".join(part.split("</text>")[0] for part in text.split("<text>")[1:])


def test_alarms_settings_and_curves_are_on_no_paper() -> None:
    text = summary_table(summary("oru_r01/monitor", "oru_r40/begins", "oru_r01/waveform"))
    for hidden in ("SpO2 thấp", "450", "MDC_EVT", "SINUS", "0.95"):
        assert hidden not in text, hidden


def test_the_last_value_of_each_day_and_kind() -> None:
    def pulse(id_: str, at: str, code: str = "147842") -> Resource:
        codings = [
            {"system": "urn:iso:std:iso:11073:10101", "code": code},
            {"system": "http://loinc.org", "code": "8867-4"},
        ]
        return {"id": id_, "code": {"coding": codings}, "effectiveDateTime": at, "valueQuantity": {"value": 80}}

    nurse = {"id": "n", "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}, "valueQuantity": {}}
    day = [
        pulse("a", "2026-11-03T08:00:00+07:00"),
        nurse,
        pulse("b", "2026-11-03T02:30:00+00:00"),
        pulse("c", "2026-11-03T09:00:00+07:00", "149530"),
        pulse("d", "2026-11-04T08:00:00+07:00"),
    ]
    assert [one["id"] for one in monitored.shown(day)] == ["n", "b", "d"]
