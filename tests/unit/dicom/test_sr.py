"""Documents of a study: reports, measurements, dose, key objects, files; and the paper that is made of a report."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b64decode
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mappings import cda, documents
from mappings.dicom import content, faults
from mappings.dicom.body import Entry, join
from mappings.dicom.header import read_header
from mappings.dicom.study import TRIGGER, study_to_outcome
from mappings.fhir import bundle_references, problems
from mappings.outcome import Outcome
from tests.unit.dicom import samples
from tests.unit.dicom.samples import CONTEXT, attributes, code, picture
from tests.unit.dicom.test_header import FILES
from tests.unit.dicom.test_study import check_coverage, of_type, outcome, the
from tests.unit.documents.samples import CONTEXT as PAPER_CONTEXT


def narrative(found: Outcome) -> str:
    return b64decode(the(found, "DiagnosticReport")["presentedForm"][0]["data"]).decode()


def field(found: Outcome, name: str) -> str:
    return next(
        (one["valueString"] for one in of_type(found, "Observation") if one["code"]["coding"][0]["code"] == name), ""
    )


def by_code(found: Outcome) -> dict[str, dict[str, Any]]:
    return {one["code"]["coding"][0]["code"]: one for one in of_type(found, "Observation")}


# ---- the paper ----


def test_the_imaging_report_paper_is_made_of_a_verified_report() -> None:
    found = outcome(picture(1, 1, RequestAttributesSequence=[samples.order()]), samples.text_report())
    (subject,) = documents.due("imaging_report", TRIGGER, found.resources)
    assert subject == f"DiagnosticReport/{the(found, 'DiagnosticReport')['id']}"
    bundle = documents.compose("imaging_report", subject, found.resources, PAPER_CONTEXT)
    assert problems(bundle) == []
    assert bundle_references(bundle) == []
    text = str(bundle["entry"][0]["resource"]["section"])
    for said in (
        "PHIẾU CHỤP CẮT LỚP VI TÍNH",
        "Đông đặc thùy dưới phải",
        "Long Axis: 4.50 cm",
        "Viêm phổi thùy dưới phải",
        "Chụp lại sau 7 ngày",
        "CLVT 64 dãy",
        "CT002",
        "Nguyễn Thị Hoa",
    ):
        assert said.casefold() in (text + str(bundle["entry"][0]["resource"]["title"])).casefold(), said
    assert "Viêm phổi" in cda.render(bundle).decode()


def test_a_report_of_measured_values_alone_makes_a_paper_too() -> None:
    found = outcome(
        samples.document(samples.SR_WHOLE, 1, samples.REPORT, samples.number(samples.LONG_AXIS, "4.50", "cm"))
    )
    (subject,) = documents.due("imaging_report", TRIGGER, found.resources)
    bundle = documents.compose("imaging_report", subject, found.resources, PAPER_CONTEXT)
    assert "Long Axis: 4,50 cm" in str(bundle["entry"][0]["resource"]["section"]).replace("4.50", "4,50")


@pytest.mark.parametrize(
    "entries",
    [
        [samples.text_report(VerificationFlag="UNVERIFIED", VerifyingObserverSequence=None)],
        [samples.text_report(CompletionFlag="PARTIAL")],
        [samples.dose_report()],
        [picture(1, 1), samples.key_objects()],
        [samples.pdf()],
        [samples.pdf(ConceptNameCodeSequence=[samples.REPORT])],
        [picture(1, 1)],
    ],
    ids=["unverified", "partial", "dose", "keys", "pdf", "pdf of a report", "picture"],
)
def test_what_is_no_finished_report_makes_no_paper(entries: list[Entry]) -> None:
    assert documents.due("imaging_report", TRIGGER, outcome(*entries).resources) == []


def test_a_file_beside_a_report_does_not_take_its_paper() -> None:
    found = outcome(samples.text_report(), samples.pdf(ConceptNameCodeSequence=[samples.REPORT]))
    (subject,) = documents.due("imaging_report", TRIGGER, found.resources)
    assert subject.startswith("DiagnosticReport/")
    assert the(found, "DocumentReference")["category"][0]["coding"][0]["code"] == "18748-4"


# ---- reports ----


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, "final"),
        ({"VerificationFlag": "UNVERIFIED"}, "preliminary"),
        ({"VerificationFlag": None}, "preliminary"),
        ({"PreliminaryFlag": "PRELIMINARY"}, "preliminary"),
        ({"PreliminaryFlag": "FINAL"}, "final"),
        ({"CompletionFlag": "PARTIAL"}, "partial"),
        ({"CompletionFlag": "PARTIAL", "VerificationFlag": "UNVERIFIED"}, "partial"),
    ],
)
def test_status(said: dict[str, Any], status: str) -> None:
    assert the(outcome(samples.text_report(**said)), "DiagnosticReport")["status"] == status


def test_the_parts_of_a_report_become_fields() -> None:
    found = outcome(samples.text_report())
    assert field(found, "MO_TA") == "Đông đặc thùy dưới phải.\nKhông tràn dịch.\nLong Axis: 4.50 cm"
    assert field(found, "KET_LUAN") == the(found, "DiagnosticReport")["conclusion"] == "Viêm phổi thùy dưới phải"
    assert field(found, "DE_NGHI") == "Chụp lại sau 7 ngày"
    assert field(found, "KY_THUAT") == "CLVT 64 dãy, tiêm cản quang"
    assert the(found, "DiagnosticReport")["issued"] == "2026-11-03T15:15:00+07:00"


@pytest.mark.parametrize("heading", ["KẾT LUẬN", "Kết luận:", "Impression", "CONCLUSION"])
def test_headings_in_words_are_understood(heading: str) -> None:
    own = code("KL", "99BV", heading)
    found = outcome(samples.document(samples.SR_TEXT, 1, samples.REPORT, samples.line(own, "Bình thường")))
    assert the(found, "DiagnosticReport")["conclusion"] == "Bình thường"


def test_the_text_has_every_item_that_says_something() -> None:
    entry = samples.text_report()
    told = narrative(outcome(entry))
    for item in content.tree(entry.attributes).walk():
        for line in item.value.split("\n"):
            assert line in told


def test_a_replaced_report_is_a_version_of_the_first() -> None:
    first = samples.text_report()
    old = attributes(
        ReferencedSOPClassUID=samples.SR_TEXT, ReferencedSOPInstanceUID=first.attributes["00080018"]["Value"][0]
    )
    series = attributes(SeriesInstanceUID=f"{samples.STUDY}.90", ReferencedSOPSequence=[old])
    before = attributes(StudyInstanceUID=samples.STUDY, ReferencedSeriesSequence=[series])
    again = samples.text_report(SOPInstanceUID=f"{samples.STUDY}.90.8", PredecessorDocumentsSequence=[before])
    alone, both, late = outcome(first), outcome(first, again), outcome(again)
    for found in (both, late):
        report = the(found, "DiagnosticReport")
        assert report["id"] == the(alone, "DiagnosticReport")["id"]
        assert report["status"] == "amended"
        assert {one["id"] for one in of_type(found, "Observation")} == {
            one["id"] for one in of_type(alone, "Observation")
        }
    assert "a later document of the study replaces it" in both.coverage.ignored.values()
    check_coverage(both, [first, again])


def test_two_verifiers_and_the_newest_counts() -> None:
    later = attributes(VerifyingObserverName="Lê^Mai", VerificationDateTime="20261104080000")
    found = outcome(samples.text_report(VerifyingObserverSequence=[samples.verifier(), later]))
    report = the(found, "DiagnosticReport")
    assert [one["display"] for one in report["resultsInterpreter"]] == ["Lê Mai", "Trần Bình"]
    assert report["issued"] == "2026-11-04T08:00:00+07:00"


def test_a_text_in_pieces_is_one_line() -> None:
    pieces = [
        samples.line(samples.FINDING, "Nốt"),
        samples.number(samples.LONG_AXIS, "3.0", "cm"),
        samples.line(samples.FINDING, "ở thùy trên."),
    ]
    whole = samples.content("CONTAINER", samples.FINDINGS, ContinuityOfContent="CONTINUOUS", ContentSequence=pieces)
    found = outcome(samples.document(samples.SR_WHOLE, 1, samples.REPORT, whole))
    assert field(found, "MO_TA") == "Nốt 3.0 cm ở thùy trên."


# ---- values ----


@pytest.mark.parametrize("digits", ["4.50", "0.0", "12", "-3.10", "1.5E2", "0.000"])
def test_digits_of_a_measured_value_stay(digits: str) -> None:
    found = outcome(
        samples.document(samples.SR_WHOLE, 1, samples.REPORT, samples.number(samples.LONG_AXIS, digits, "mm"))
    )
    value = by_code(found)["103339001"]["valueQuantity"]["value"]
    assert isinstance(value, Decimal)
    assert value.as_tuple() == Decimal(digits).as_tuple()


@pytest.mark.parametrize(
    ("unit", "meaning", "quantity"),
    [
        ("mm", "millimeter", {"unit": "mm", "system": "http://unitsofmeasure.org", "code": "mm"}),
        ("1", "no units", {"unit": "no units", "system": "http://unitsofmeasure.org", "code": "1"}),
        ("{ratio}", "ratio", {"unit": "ratio", "system": "http://unitsofmeasure.org", "code": "{ratio}"}),
        ("not a unit", "Đơn vị", {"unit": "not a unit"}),
    ],
)
def test_units(unit: str, meaning: str, quantity: dict[str, str]) -> None:
    item = samples.number(samples.LONG_AXIS, "1.0", unit, meaning=meaning)
    found = by_code(outcome(samples.document(samples.SR_WHOLE, 1, samples.REPORT, item)))["103339001"]["valueQuantity"]
    found.pop("value")
    assert found == quantity


def test_a_number_that_is_none_is_unknown() -> None:
    entry = samples.document(samples.SR_WHOLE, 1, samples.REPORT, samples.number(samples.LONG_AXIS, "about 4", "mm"))
    found = outcome(entry)
    assert "dataAbsentReason" in by_code(found)["103339001"]
    assert found.coverage.unknown == {"(0040,A730)[1.1] NUM": "not a number"}
    check_coverage(found, [entry])


def test_a_group_of_measurements_has_its_members() -> None:
    entry = samples.measured_report()
    found = outcome(entry)
    known = by_code(found)
    group = known["125007"]
    assert group["identifier"] == [{"system": "urn:dicom:uid", "value": f"urn:oid:{samples.ROOT}.77"}]
    assert group["valueCodeableConcept"]["text"] == "Nodule"
    assert {one["reference"] for one in group["hasMember"]} == {
        f"Observation/{known[name]['id']}" for name in ("103339001", "103340004", "118565006", "111000")
    }
    assert known["103339001"]["bodySite"]["coding"][0]["code"] == "39607008"
    assert known["103339001"]["method"]["text"] == "RECIST 1.1"
    assert known["118565006"]["dataAbsentReason"]["text"] == "Measurement not attempted"
    assert the(found, "DiagnosticReport")["result"][0] == {"reference": f"Observation/{group['id']}"}
    assert field(found, "MO_TA").split("\n")[:2] == ["Nodule", "Long Axis: 8.50 mm"]
    check_coverage(found, [entry])


def test_dose_becomes_observations_without_a_report() -> None:
    entry = samples.dose_report()
    found = outcome(entry)
    assert not of_type(found, "DiagnosticReport")
    values = {
        name: str(one["valueQuantity"]["value"]) + one["valueQuantity"]["unit"] for name, one in by_code(found).items()
    }
    assert values == {"113813": "412.70mGy.cm", "113830": "8.20mGy", "113838": "401.50mGy.cm"}
    study = the(found, "ImagingStudy")["id"]
    assert all(one["partOf"] == [{"reference": f"ImagingStudy/{study}"}] for one in of_type(found, "Observation"))
    assert found.coverage.unknown == {}
    check_coverage(found, [entry])


def test_key_objects_are_marked_and_noted() -> None:
    found = the(outcome(*(picture(1, n) for n in (1, 2, 3)), samples.key_objects()), "ImagingStudy")
    assert found["note"] == [{"text": "Of Interest: Tổn thương rõ nhất (1)"}]
    assert [one.get("title") for one in found["series"][0]["instance"]] == [None, "Of Interest", None]


@pytest.mark.parametrize(
    ("title", "told"), [("113037", [faults.REJECTED]), ("113038", [faults.REJECTED]), ("113000", [])]
)
def test_rejected_objects_are_noticed(title: str, told: list[int]) -> None:
    keys = samples.key_objects(ConceptNameCodeSequence=[code(title, "DCM", "Title")])
    assert [one.code for one in outcome(picture(1, 2), keys).notices] == told


def test_a_file_goes_along_without_its_padding() -> None:
    entry = samples.pdf()
    found = outcome(entry, context=replace(CONTEXT, wado="https://pacs.local/dicom-web/"))
    attachment = the(found, "DocumentReference")["content"][0]["attachment"]
    assert b64decode(attachment["data"]) == samples.FILE + b"x"
    assert attachment["contentType"] == "application/pdf"
    assert (
        attachment["url"]
        == f"https://pacs.local/dicom-web/studies/{samples.STUDY}/series/{samples.STUDY}.91/instances/{samples.STUDY}.91.1"
    )
    assert attachment["extension"][0]["valueString"] == "object-1"
    check_coverage(found, [entry])


def test_a_file_that_was_left_out_is_referred_to() -> None:
    entry = samples.pdf()
    entry.attributes["00420011"] = {"vr": "OB", "BulkDataURI": "", "Length": 20_000_000}
    attachment = the(outcome(entry), "DocumentReference")["content"][0]["attachment"]
    assert "data" not in attachment
    assert attachment["size"] == len(samples.FILE) + 1


# ---- DCMTK as judge ----


@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="DCMTK is not installed")
@pytest.mark.parametrize("name", ["reportsi.dcm", "test-SR.dcm"])
def test_the_text_is_what_dsrdump_prints(name: str) -> None:
    path = next(one for one in FILES if one.name == name)
    _judged_by_dsrdump(path)


@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="DCMTK is not installed")
def test_our_own_reports_are_reports_to_dcmtk(tmp_path: Path) -> None:
    for n, entry in enumerate((samples.text_report(), samples.measured_report())):
        path = tmp_path / f"{n}.dcm"
        path.write_bytes(samples.file_of(entry.attributes))
        _judged_by_dsrdump(path)


def _judged_by_dsrdump(path: Path) -> None:
    """Every text and number that DCMTK prints of a document is in our text of it."""
    done = subprocess.run(
        ["dsrdump", "-q", "-Ei", "-Er", "-Ec", "-Ee", "+U8", "+Pl", str(path)], capture_output=True, check=False
    )
    printed = done.stdout.decode("utf-8", "replace")
    with path.open("rb") as file:
        entry = Entry.of(read_header(file), {})
    told = " ".join(narrative(study_to_outcome(join([entry]), CONTEXT)).split())
    judged = 0
    for line in printed.splitlines():
        kind = line.strip().lstrip("<").split(" ")[0]
        relation, _, value = line.partition("=")
        if not any(f"{word}:" in relation for word in ("TEXT", "NUM", "CODE", "PNAME")) or not value:
            continue
        said = value.strip().split('"')[1] if '"' in value else ""
        if said:
            assert " ".join(said.replace("\\r", " ").replace("\\n", " ").split()) in told, kind
            judged += 1
    assert judged > 2
