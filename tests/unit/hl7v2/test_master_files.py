"""Master files: what each record becomes, what its event does to it, and that no patient is needed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mappings import codes
from mappings.fhir import problems, vocabulary
from mappings.hl7v2 import faults, known
from mappings.hl7v2.leftovers import NOTHING
from mappings.hl7v2.segments.ldp import vh_to_hours
from mappings.outcome import Outcome
from tests.unit.hl7v2.samples import PV1, every, line, mapped, only

LICENCE = "http://fhir.hl7.org.vn/core/sid/cchn"
STATUS = "http://hl7.org/fhir/5.0/StructureDefinition/extension-ObservationDefinition.status"
FILES = {
    "M02": ("NV1", "STF|NV1||Lê^Sơn"),
    "M04": ("03.1703", "CDM|03.1703^Khám nội"),
    "M05": ("K03", "LOC|K03"),
    "M08": ("GLU", "OM1|1|GLU^Glucose"),
    "M09": ("ABO", "OM1|1|ABO^Nhóm máu"),
    "M10": ("CBC", "OM1|1|CBC^Công thức máu"),
    "M11": ("AG", "OM1|1|AG^Khoảng trống anion"),
    "M12": ("ECG", "OM1|1|ECG^Điện tâm đồ"),
}


def file(event: str, *segments: str, change: str = "MAD", key: str = "") -> Outcome:
    mfe = f"MFE|{change}|1|20261101|{key or FILES[event][0]}|CWE"
    outcome = mapped(f"MFN^{event}", "MFI|X||UPD|||AL", mfe, *segments)
    for resource in outcome.resources:
        assert problems(resource) == []
    assert outcome.patient_id is None
    return outcome


def state(outcome: Outcome, event: str) -> Any:
    if event == "M02":
        return only(outcome, "Practitioner").get("active")
    if event == "M04":
        return only(outcome, "ChargeItemDefinition")["status"] == "active"
    if event == "M05":
        return only(outcome, "Location").get("status") == "active"
    found = [one["valueCode"] for one in only(outcome, "ObservationDefinition")["extension"] if one["url"] == STATUS]
    return found == ["active"]


@pytest.mark.parametrize("event", FILES)
@pytest.mark.parametrize(
    ("change", "active"), [("MAD", True), ("MUP", True), ("MAC", True), ("MDC", False), ("MDL", False)]
)
@pytest.mark.parametrize("whole", [True, False])
def test_what_each_event_does_to_each_record(event: str, change: str, active: bool, whole: bool) -> None:
    segments = [FILES[event][1]] if whole else []
    assert state(file(event, *segments, change=change), event) is active


def test_the_table_walks_every_event() -> None:
    events = vocabulary.members("http://terminology.hl7.org/CodeSystem/v2-0180")
    assert events
    assert [code for code in events if not codes.table("v2-0180-active").target(code)] == []


@pytest.mark.parametrize("event", FILES)
def test_whole_or_by_its_key_it_is_the_same_resource(event: str) -> None:
    whole, key = file(event, FILES[event][1]), file(event, change="MDC")
    assert {r["id"] for r in key.resources} <= {r["id"] for r in whole.resources}


def test_an_unknown_event_is_noticed() -> None:
    outcome = file("M02", FILES["M02"][1], change="MXX")
    assert "active" not in only(outcome, "Practitioner")
    assert faults.CODE_UNKNOWN in [one.code for one in outcome.notices]


def test_a_record_that_names_nothing_is_unknown() -> None:
    outcome = mapped("MFN^M04", "MFE|MAD|1")
    assert outcome.resources == []
    assert outcome.coverage.unknown["MFE-1"] == NOTHING


@pytest.mark.parametrize(
    ("event", "segments", "position"),
    [
        ("M08", (FILES["M08"][1], "OM2|1|^^UCUM"), "OM2-2"),
        ("M02", (FILES["M02"][1], "LAN|1|^^ISO"), "LAN-2"),
        ("M02", (FILES["M02"][1], "AFF|1|Hội A|^^^^^^B"), "AFF-3"),
        ("M05", ("LOC||Phòng khám",), "LOC-2"),
    ],
)
def test_what_comes_to_nothing_is_given_back(event: str, segments: tuple[str, ...], position: str) -> None:
    outcome = file(event, *segments)
    assert position in outcome.coverage.unknown
    assert position not in outcome.coverage.mapped


def test_without_a_record_nothing_is_changed() -> None:
    with pytest.raises(faults.MissingSegment) as caught:
        mapped("MFN^M02", "MFI|PRA")
    assert caught.value.where == "MFE"


@pytest.mark.parametrize("event", ["M01", "M03", "M06", "M07", "M13", "M14", "M15"])
def test_other_master_files_are_kept_as_unsupported(event: str) -> None:
    assert not known(f"MFN^{event}")


# ---- staff ----


@pytest.mark.parametrize("number", ["NV1", "000123/HNO-CCHN", "0077/ĐNA-GPHN"])
def test_a_doctor_in_an_order_and_in_the_staff_list_is_one(number: str) -> None:
    listed = only(file("M02", f"STF|{number}||Lê^Sơn", key=number), "Practitioner")
    pid = "PID|1||BN1^^^01032^PI||Nguyễn^Hoa||19850214|F"
    named = only(mapped("ADT^A01", pid, f"{PV1}".replace("|NOI|", f"|NOI||||{number}^Lê^Sơn|", 1)), "Practitioner")
    assert listed["id"] == named["id"]


def test_a_licence_is_told_once_however_often() -> None:
    person = only(
        file(
            "M02",
            FILES["M02"][1],
            "PRA|NV1|||||000123/HNO-CCHN^CCHN^^20290101~NV1^EI",
            line(
                "CER",
                f1="1",
                f2="000123/HNO-CCHN",
                f4="Sở Y tế Hà Nội",
                f10="CCHN^Chứng chỉ hành nghề^L",
                f25="20180605",
            ),
        ),
        "Practitioner",
    )
    assert [(one["system"], one["value"]) for one in person["identifier"]] == [
        ("https://lienthong.vn/fhir/sid/staff", "NV1"),
        (LICENCE, "000123/HNO-CCHN"),
    ]
    (licence,) = person["qualification"]
    assert licence["period"] == {"start": "2018-06-05", "end": "2029-01-01"}
    assert licence["code"]["text"] == "Chứng chỉ hành nghề"
    assert licence["issuer"]["display"] == "Sở Y tế Hà Nội"


def test_a_revoked_certificate_ended_when_it_was_revoked() -> None:
    cer = line("CER", f1="1", f2="7/HNO-CCHN", f10="CCHN", f25="20180101", f27="20290101", f29="20250301")
    (held,) = only(file("M02", FILES["M02"][1], cer), "Practitioner")["qualification"]
    assert held["period"] == {"start": "2018-01-01", "end": "2025-03-01"}


def test_the_post_in_a_unit_is_told_once() -> None:
    outcome = file("M02", line("STF", f1="NV1", f3="Lê^Sơn", f4="BS", f8="K03^Khoa Nội"), "ORG|1|K03^Khoa Nội||||TK")
    role = only(outcome, "PractitionerRole")
    assert [one["coding"][0]["code"] for one in role["code"]] == ["BS", "TK"]
    assert role["active"] is True


def test_the_flag_of_the_record_and_its_event() -> None:
    stf = line("STF", f1="NV1", f3="Lê^Sơn", f7="I")
    assert only(file("M02", stf), "Practitioner")["active"] is False
    kept = stf.replace("|I", "|A")
    assert only(file("M02", kept, change="MDC"), "Practitioner")["active"] is False


# ---- charges ----


def test_prices_in_dong_and_the_cost_group() -> None:
    definition = only(
        file(
            "M04",
            "CDM|22.0120^Công thức máu^MA_DVKT^1^Xét nghiệm^MA_NHOM",
            "PRC|22.0120||||40400^UP||||30000|52000.5&USD|20260101|20261231",
            key="22.0120",
        ),
        "ChargeItemDefinition",
    )
    (prices,) = definition["propertyGroup"]
    assert [(one["type"], one["amount"]) for one in prices["priceComponent"]] == [
        ("base", {"value": Decimal("40400"), "currency": "VND"}),
        ("informational", {"value": Decimal("30000"), "currency": "VND"}),
        ("informational", {"value": Decimal("52000.5"), "currency": "VND"}),
    ]
    assert definition["effectivePeriod"] == {"start": "2026-01-01", "end": "2026-12-31"}
    assert definition["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "1"
    assert [one["code"] for one in definition["code"]["coding"]] == ["22.0120"]


def test_a_price_that_is_out_of_force_is_left_out_on_purpose() -> None:
    outcome = file("M04", FILES["M04"][1], line("PRC", f1="03.1703", f5="1000", f16="I"))
    assert "propertyGroup" not in only(outcome, "ChargeItemDefinition")
    assert "PRC-5" in outcome.coverage.ignored


# ---- places ----


def test_a_place_stands_among_those_around_it() -> None:
    outcome = file("M05", "LOC|K03^P205^G02|Giường cạnh cửa sổ|B", key="K03^P205^G02")
    names = {f"Location/{one['id']}": one for one in every(outcome, "Location")}
    (bed,) = [one for one in names.values() if one["name"] == "G02"]
    room = names[bed["partOf"]["reference"]]
    assert (room["name"], names[room["partOf"]["reference"]]["name"]) == ("P205", "K03")
    assert bed["description"] == "Giường cạnh cửa sổ"
    assert "status" not in room


def test_a_characteristic_that_is_denied_is_left_out() -> None:
    outcome = file("M05", "LOC|K03", "LCH|K03|||SMK^Hút thuốc|N", "LCH|K03|||ISO^Cách ly|Y")
    said = [one["valueCodeableConcept"]["text"] for one in only(outcome, "Location")["extension"]]
    assert said == ["Cách ly"]


@pytest.mark.parametrize(
    ("hours", "days"),
    [
        (("MON", "FRI", "0700", "1630"), ["mon", "tue", "wed", "thu", "fri"]),
        (("SAT", "", "0700", "1100"), ["sat"]),
        (("SUN", "MON", "", ""), ["sun", "mon"]),
        (("X", "", "", ""), None),
    ],
)
def test_days_of_opening(hours: tuple[str, ...], days: list[str] | None) -> None:
    class Vh:
        def c(self, n: int, s: int = 1) -> str:
            return hours[n - 1]

        def __bool__(self) -> bool:
            return True

    assert vh_to_hours(Vh()).get("daysOfWeek") == days


# ---- tests ----


def test_the_factor_leads_from_the_si_unit_back() -> None:
    definition = only(file("M08", FILES["M08"][1], "OM2|1|mg/dL|10.2|mmol/L|0.0555"), "ObservationDefinition")
    details = definition["quantitativeDetails"]
    assert details["conversionFactor"] == Decimal("18.01801802")
    assert details["decimalPrecision"] == 2
    assert details["customaryUnit"]["coding"][0]["code"] == "mg/dL"


@pytest.mark.parametrize("factor", ["0", "9/5*x+32"])
def test_what_is_no_factor_is_given_back(factor: str) -> None:
    assert "OM2-5" in file("M08", FILES["M08"][1], f"OM2|1|||K|{factor}").coverage.unknown


def test_ranges_by_sex_and_age_keep_their_digits() -> None:
    om2 = "OM2|1|mmol/L||||3.50&5.10^F^18&60~^^|2.5|9&1"
    outcome = file("M08", FILES["M08"][1], om2)
    first, second = only(outcome, "ObservationDefinition")["qualifiedInterval"]
    assert str(first["range"]["low"]["value"]) == "3.50"
    assert (first["gender"], first["age"]["high"]["code"]) == ("female", "a")
    assert (second["category"], second["range"]["low"]["value"]) == ("critical", Decimal("2.5"))
    assert "OM2-8" in outcome.coverage.unknown


def test_answers_are_value_sets_that_the_definition_contains() -> None:
    definition = only(file("M09", FILES["M09"][1], "OM3|1|NM|A^Nhóm A~B^Nhóm B^L|A|||CWE"), "ObservationDefinition")
    assert definition["validCodedValueSet"] == {"reference": "#valid"}
    valid, normal = definition["contained"]
    assert [one["concept"] for one in valid["compose"]["include"]] == [
        [{"code": "A", "display": "Nhóm A"}],
        [{"code": "B", "display": "Nhóm B"}],
    ]
    assert normal["id"] == "normal"
    assert definition["permittedDataType"] == ["CodeableConcept"]


def test_each_specimen_is_a_definition_that_the_test_names() -> None:
    outcome = file(
        "M08", line("OM1", f1="1", f2="GLU^Glucose", f37="Nhịn ăn"), "OM4|1|P||||BLDV", "OM4|2|C||||SER", "OM4|3"
    )
    specimens = every(outcome, "SpecimenDefinition")
    assert [one["typeTested"][0]["isDerived"] for one in specimens] == [False, True]
    named = [one["valueReference"]["reference"] for one in only(outcome, "ObservationDefinition")["extension"][1:]]
    assert named == [f"SpecimenDefinition/{one['id']}" for one in specimens]


def test_a_battery_names_its_tests_by_number() -> None:
    battery = only(file("M10", FILES["M10"][1], "OM5|1|WBC^Bạch cầu~GLU"), "ObservationDefinition")
    members = [one["valueReference"]["identifier"] for one in battery["extension"][1:]]
    assert members[1] == only(file("M08", FILES["M08"][1]), "ObservationDefinition")["identifier"][0]


def test_a_rule_is_kept_in_the_words_of_the_sender() -> None:
    om1 = line("OM1", f1="1", f2="AG^Khoảng trống anion", f14="TT^Tính toán")
    method = only(file("M11", om1, "OM6|1|Na - (Cl + HCO3)"), "ObservationDefinition")["method"]
    assert method["text"] == "Tính toán; Na - (Cl + HCO3)"


# ---- answers ----


def test_the_answer_says_which_records_failed() -> None:
    outcome = mapped("MFK^M02", "MSA|AE|1", "MFI|PRA", "MFA|MAD|1||S|NV1|CWE", "MFA|MAD|2||U|NV2|CWE")
    told = next(one for one in outcome.about if one["resourceType"] == "OperationOutcome")
    assert [(one["severity"], one["diagnostics"]) for one in told["issue"]] == [
        ("information", "MAD NV1"),
        ("error", "MAD NV2"),
    ]
    assert problems(told) == []


def test_an_answer_without_msa_answers_nothing() -> None:
    with pytest.raises(faults.MissingSegment):
        mapped("MFK^M02", "MFA|MAD|1||S|NV1|CWE")
