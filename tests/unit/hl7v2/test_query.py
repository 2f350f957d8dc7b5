"""Queries read, their answers written, and both read back."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from mappings.fhir import problems
from mappings.formats import er7
from mappings.formats.er7_header import Header, read_header
from mappings.hl7v2 import faults, map_message
from mappings.hl7v2.answer import Found, write_answer
from mappings.hl7v2.fields import (
    address_to_xad,
    contact_point_to_xtn,
    datetime_to_dtm,
    human_name_to_xpn,
    system_to_name,
)
from mappings.hl7v2.messages import query as query_messages
from mappings.hl7v2.messages import response as response_messages
from mappings.hl7v2.query import Query, read_query
from mappings.outcome import Outcome
from mappings.systems import DEFAULT
from tests.unit.hl7v2.samples import CONTEXT, every, mapped, only

AT = datetime(2026, 11, 25, 8, 0, tzinfo=timezone(timedelta(hours=7)))
PID = (
    "PID|1||BN1^^^01032^PI~001185012345^^^CCCD^NI~77^^^&1.2.840.1&ISO^PI||Nguyễn^Hoa^Thị Bích^^^^L|Phạm^Lan^^^^^M"
    "|19850214|F|||12 Lê Lợi^^Hà Nội^^^VN^H||0912000111^PRN^CP~^NET^Internet^hoa@example.vn|0243000111^WPN^PH"
    "||||||||||Y|2"
)
VACCINATION = (
    "PD1|||Trạm y tế Láng Hạ^^^^^^^^^01999|BS9^Đỗ^Kim^Thị",
    "NK1|1|Phạm^Lan^^^^^L|MTH^Mother^HL70063|5 Láng Hạ^^Hà Nội|||||||||||F|19600505",
    "ORC|RE|YC1^HIS|TC1^HIS|||||||DD2^Vũ^Hà||BS1^Lê^Nam^Văn",
    "RXA|0|1|20260310083000|20260310083000|03^MMR^CVX|0.50|mL^mL^UCUM||00^Tiêm mới^NIP001|DD1^Cao^Mai|^^^Trạm y tế||||L1~L2"
    "|20270831|MSD^Merck^MVX||Z23^Cần tiêm chủng^I10|CP|A|20260310090000",
    "RXR|SC^Subcutaneous^HL70162|LA^Left Arm^HL70163",
    "OBX|1|CE|64994-7^E^LN|1|V01^Not eligible^HL70064||||||F",
    "OBX|2|CE|69764-9^D^LN|2|HD1^Tờ hướng dẫn^L||||||F",
    "OBX|3|DT|29769-7^P^LN|2|20260310||||||F",
    "OBX|4|NM|30973-2^N^LN|3|1||||||F",
    "OBX|5|ST|59780-7^S^LN|3|Sởi\\T\\rubella||||||F",
    "ORC|RE||TC2^HIS",
    "RXA|0|1|20250101||19^BCG^CVX|999|||03^Sổ tiêm chủng^NIP001|||||||||||CP|A",
    "ORC|RE||TC3^HIS",
    "RXA|0|1|20250301||20^DTaP^CVX|999||||||||||||00^Từ chối^NIP002||RE|A",
)


def told() -> tuple[Outcome, Found]:
    outcome = mapped("VXU^V04", PID, *VACCINATION)
    named = [one for kind in ("Practitioner", "Organization", "Location") for one in every(outcome, kind)]
    person = only(outcome, "Patient")
    return outcome, Found(person, every(outcome, "RelatedPerson"), every(outcome, "Immunization"), named)


def asked(kind: str, *segments: str, version: str = "2.5.1", msh2: str = "^~\\&") -> tuple[Query, Header]:
    raw = "\r".join([f"MSH|{msh2}|APP|79001|LT|01032|20261125||{kind}|Q9|P|{version}", *segments, ""]).encode()
    return read_query(er7.Message.parse(raw)), read_header(raw)


def answered(query: Query, header: Header, *found: Found, fault: Any = None) -> er7.Message:
    return er7.Message.parse(write_answer(query, header, found, AT, "LT1", fault))


Z34 = (
    "QPD|Z34^Request Immunization History^CDCPHINVS|T1|BN1^^^01032^PI|Nguyễn^Hoa^Thị Bích|Phạm^Lan|19850214|F"
    "|12 Lê Lợi^^Hà Nội^HN^10000|^PRN^PH^^^91^2000111|Y|2"
)


# ---- reading ----


def test_immunisation_query() -> None:
    query, _ = asked("QBP^Q11^QBP_Q11", Z34, "RCP|I|5^RD")
    assert (query.kind, query.tag, query.limit) == ("immunizations", "T1", 5)
    assert [number.value for number in query.numbers] == ["BN1"]
    assert query.person == ("Nguyễn", "Hoa", "Thị Bích")
    assert query.mother == ("Phạm", "Lan", "")
    assert (query.birth_date, query.sex) == ("1985-02-14", "female")
    assert query.address == ("12 Lê Lợi", "Hà Nội", "HN", "10000")
    assert (query.phone, query.multiple_birth, query.birth_order) == ("912000111", "Y", 2)
    assert query.others == ()


def test_another_question_under_the_same_trigger_is_not_understood() -> None:
    assert asked("QBP^Q11", "QPD|Z99^Anything^L|T1")[0].kind == "other"


def test_candidates_query() -> None:
    query, _ = asked(
        "QBP^Q22^QBP_Q21",
        "QPD|Q22^Find Candidates^HL70471|T2|@PID.3.1^BN1~@PID.3.4^01032~@PID.5.1.1^Nguy*~@PID.5.2^Hoa~@PID.7^1985~@PID.8^F"
        "~@PID.11.3^Hà Nội~@PID.13^0912~@PID.18.1^X|||||^^^79001",
        "RCP|I|2^RD",
        "DSC|4|I",
    )
    assert query.kind == "candidates"
    assert query.numbers[0][:2] == ("BN1", "01032")
    assert query.person[:2] == ("Nguy", "Hoa")
    assert (query.birth_date, query.sex, query.phone) == ("1985", "female", "0912")
    assert (query.limit, query.offset) == (2, 4)
    assert [one.authority for one in query.domains] == ["79001"]
    assert query.others == ("@PID.18.1",)


@pytest.mark.parametrize(("event", "kind"), [("Q21", "demographics"), ("Q23", "identifiers"), ("Q24", "allocation")])
def test_queries_by_number(event: str, kind: str) -> None:
    query, _ = asked(f"QBP^{event}", f"QPD|{event}^x^HL70471|T|BN1^^^01032^PI|^^^79001")
    assert query.kind == kind
    wanted = query.domains if kind == "allocation" else query.numbers
    assert wanted[0].value == "BN1"


def test_original_query() -> None:
    query, _ = asked(
        "VXQ^V01",
        "QRD|20261125|R|I|Q77|||3^RD|BN1^Nguyễn^Hoa|VXI^VACCINE INFORMATION^HL70048",
        "QRF|MPI||||079085^~19850214~~~~Phạm^Lan~Trần",
        version="2.3.1",
    )
    assert (query.kind, query.tag, query.limit) == ("immunizations", "Q77", 3)
    assert [number.value for number in query.numbers] == ["BN1", "079085"]
    assert query.birth_date == "1985-02-14"
    assert query.mother[:2] == ("Trần", "Lan")


def test_what_cannot_be_read_is_named_without_its_value() -> None:
    query, _ = asked("QBP^Q11", "QPD|Z34^x^CDCPHINVS|T|||| hôm qua |chưa rõ")
    assert query.others == ("QPD-6", "QPD-7")
    assert asked("QRY^Q01", "QRD|20261125|D|I|1|||1^RD|^Lê")[0].kind == "other"
    assert asked("QBP^Q22")[0].kind == "other"


@pytest.mark.parametrize("trigger", query_messages.TRIGGERS)
def test_a_question_says_nothing_about_anybody(trigger: str) -> None:
    outcome = mapped(trigger, Z34, "RCP|I|1^RD", "QRD|20261125|R|I|1|||1^RD|BN1", "QRF|X")
    assert not outcome.resources
    assert outcome.patient_id is None
    assert not outcome.coverage.unknown


# ---- writing ----


def test_history_reads_back_as_it_was() -> None:
    before, found = told()
    query, header = asked("QBP^Q11^QBP_Q11", Z34)
    message = answered(query, header, found)
    assert message.value("MSH-9.3") == "RSP_K11"
    assert message.value("MSH-21.1") == "Z32"
    assert (message.value("MSA-1"), message.value("MSA-2")) == ("AA", "Q9")
    assert [message.value(f"QAK-{n}") for n in (1, 2, 4, 5, 6)] == ["T1", "OK", "1", "1", "0"]
    after = map_message(message, CONTEXT)
    for kind in ("Patient", "RelatedPerson", "Immunization", "Practitioner"):
        assert sorted(every(after, kind), key=lambda r: str(r["id"])) == sorted(
            every(before, kind), key=lambda r: str(r["id"])
        )
    assert [problems(one) for one in after.resources if problems(one)] == []


def test_the_question_is_repeated_byte_for_byte() -> None:
    query, header = asked("QBP^Q11^QBP_Q11", Z34)
    assert f"\r{Z34}\r".encode() in write_answer(query, header, [], AT, "LT1")


def test_the_question_is_repeated_in_other_delimiters_when_its_own_are_too_few() -> None:
    query, header = asked("QBP^Q21", "QPD|Q21^a & b^HL70471|T|BN1^^^01032^PI", msh2="^~\\")
    message = answered(query, header)
    assert message.value("QPD-1.2") == "a & b"
    assert message.value("QPD-3.5") == "PI"


def test_nobody_several_and_too_many() -> None:
    _, found = told()
    several = [
        found,
        Found({**found.patient, "identifier": [{"system": DEFAULT.local("01032", "patient"), "value": "BN9"}]}),
    ]
    query, header = asked("QBP^Q11^QBP_Q11", Z34, "RCP|I|5^RD")
    nobody = answered(query, header)
    assert (nobody.value("QAK-2"), nobody.value("MSH-21.1"), nobody.first("PID")) == ("NF", "Z33", None)
    candidates = answered(query, header, *several)
    assert (candidates.value("QAK-2"), candidates.value("MSH-21.1")) == ("OK", "Z31")
    assert len(candidates.all("PID")) == 2
    assert not candidates.all("RXA")
    query, header = asked("QBP^Q11^QBP_Q11", Z34, "RCP|I|1^RD")
    many = answered(query, header, *several)
    assert (many.value("QAK-2"), many.value("MSH-21.1"), many.first("PID")) == ("TM", "Z33", None)


def test_candidates_go_on_where_they_ended() -> None:
    people = [
        Found(
            {
                "resourceType": "Patient",
                "id": str(n),
                "identifier": [{"system": DEFAULT.local("01032", "patient"), "value": f"BN{n}"}],
            }
        )
        for n in range(5)
    ]
    seen: list[str] = []
    pointer = ""
    for remaining in ("3", "1", "0"):
        query, header = asked(
            "QBP^Q22^QBP_Q21",
            "QPD|Q22^x^HL70471|T|@PID.5.1^Lê",
            "RCP|I|2^RD",
            *([f"DSC|{pointer}|I"] if pointer else []),
        )
        message = answered(query, header, *people)
        seen += [str(pid[3].c(1)) for pid in message.all("PID")]
        assert (message.value("QAK-4"), message.value("QAK-6")) == ("5", remaining)
        pointer = message.value("DSC-1") or ""
        assert bool(pointer) == (remaining != "0")
    assert seen == [f"BN{n}" for n in range(5)]


def test_corresponding_numbers_withhold_the_name_and_the_number_asked_by() -> None:
    _, found = told()
    query, header = asked("QBP^Q23", "QPD|Q23^x^HL70471|T|BN1^^^01032^PI")
    (pid,) = answered(query, header, found).all("PID")
    assert [one.c(1) for one in pid[3].repetitions] == ["001185012345", "77"]
    assert [one.whole for one in pid[5].repetitions] == ["", "^^^^^^S"]
    assert list(pid.populated()) == [3, 5]
    alone = Found({**found.patient, "identifier": found.patient["identifier"][:1]})
    assert answered(query, header, alone).value("QAK-2") == "NF"


@pytest.mark.parametrize(
    ("kind", "qpd", "msh9"),
    [
        ("QBP^Q21", "QPD|Q21^x^HL70471|T|BN1", ("RSP", "K21", "RSP_K21")),
        ("QBP^Q22", "QPD|Q22^x^HL70471|T|@PID.5.1^Lê", ("RSP", "K22", "RSP_K22")),
        ("QBP^Q22", "QPD|IHE PDQ Query|T|@PID.5.1^Lê", ("RSP", "K22", "RSP_K21")),
        ("QBP^Q23", "QPD|Q23^x^HL70471|T|BN7", ("RSP", "K23", "RSP_K23")),
        ("QBP^Q24", "QPD|Q24^x^HL70471|T|^^^01032", ("RSP", "K24", "RSP_K24")),
        ("QRY^A19", "QRD|20261125|R|I|1|||1^RD|BN1|DEM", ("ADR", "A19", "ADR_A19")),
        ("VXQ^V01", "QRD|20261125|R|I|1|||9^RD|BN1|VXI", ("VXR", "V03", "VXR_V03")),
    ],
)
def test_kinds_of_answers(kind: str, qpd: str, msh9: tuple[str, str, str]) -> None:
    _, found = told()
    query, header = asked(kind, qpd)
    message = answered(query, header, found)
    assert tuple(message.value(f"MSH-9.{n}") for n in (1, 2, 3)) == msh9
    assert f"{msh9[0]}^{msh9[1]}" in response_messages.TRIGGERS
    assert every(map_message(message, CONTEXT), "Patient")


def test_original_queries_are_answered_by_how_many_fit() -> None:
    _, found = told()
    query, header = asked("VXQ^V01", "QRD|20261125|R|I|1|||1^RD|^Lê|VXI", version="2.3.1")
    assert answered(query, header).value("MSH-9.1") == "QCK"
    many = answered(query, header, found, found)
    assert (many.value("MSH-9.1"), len(many.all("PID"))) == ("VXX", 1)


def test_a_number_of_the_gateway_goes_out_and_comes_back_as_the_same() -> None:
    number = {"system": CONTEXT.systems.local("01032", "person"), "value": "LT000000195"}
    query, header = asked("QBP^Q24", "QPD|Q24^x^HL70471|T|^^^LIENTHONG")
    message = answered(query, header, Found({"identifier": [number]}))
    assert message.value("PID-3.4") == "LIENTHONG"
    (patient,) = every(map_message(message, CONTEXT), "Patient")
    assert [(one["system"], one["value"]) for one in patient["identifier"]] == [(number["system"], number["value"])]


def test_a_number_of_the_gateway_before_the_hospitals_changes_nothing() -> None:
    alone = only(mapped("ADT^A28", "PID|1||BN1^^^HIS^PI||Lê"), "Patient")
    both = only(mapped("ADT^A28", "PID|1||LT000000195^^^LIENTHONG^PN~BN1^^^HIS^PI||Lê"), "Patient")
    assert both["id"] == alone["id"]
    assert both["identifier"][1:] == alone["identifier"]
    assert both["identifier"][0]["system"] == CONTEXT.systems.local("01032", "person")


@pytest.mark.parametrize("version", ["2.3.1", "2.5.1", "2.8"])
def test_a_fault_tells_nothing_about_anybody(version: str) -> None:
    _, found = told()
    query, header = asked("QBP^Q21", "QPD|Q21^x^HL70471|T|BN1", version=version)
    message = answered(query, header, found, fault=faults.MissingField("QPD-3"))
    assert (message.value("MSA-1"), message.value("QAK-2")) == ("AE", "AE")
    assert message.first("ERR") is not None
    assert message.first("PID") is None
    assert message.value("QAK-4") is None


def test_what_is_not_understood_is_only_acknowledged() -> None:
    query, header = asked("QRY^Q01", "QRD|20261125|D|I|1|||1^RD|^Lê")
    message = answered(query, header, fault=faults.UnsupportedMessage("MSH-9"))
    assert (message.value("MSH-9.1"), message.value("MSA-1")) == ("ACK", "AE")


def test_vaccinations_entered_in_error_are_not_told() -> None:
    _, found = told()
    wrong = [{**one, "status": "entered-in-error"} for one in found.immunizations]
    query, header = asked("QBP^Q11^QBP_Q11", Z34)
    message = answered(query, header, Found(found.patient, (), wrong))
    assert message.value("QAK-2") == "OK"
    assert not message.all("RXA")


def test_people_who_are_not_at_hand_are_named() -> None:
    _, found = told()
    query, header = asked("QBP^Q11^QBP_Q11", Z34)
    message = answered(query, header, Found(found.patient, (), found.immunizations))
    assert message.value("RXA-10.2") == "Cao Mai"
    assert message.value("RXA-17.2") == "Merck"


def test_hostile_texts_are_escaped() -> None:
    person = {
        "resourceType": "Patient",
        "id": "1",
        "name": [{"text": "A|B^C~D\\E&F\rPID|x"}],
        "identifier": [{"system": "s", "value": "1"}],
    }
    query, header = asked("QBP^Q21", "QPD|Q21^x^HL70471|T|1")
    message = answered(query, header, Found(person))
    assert message.value("PID-5.1") == "A|B^C~D\\E&F\rPID|x"
    assert len(message.all("PID")) == 1


# ---- the way back ----


@pytest.mark.parametrize(
    ("text", "dtm"),
    [
        ("1985", "1985"),
        ("1985-02", "198502"),
        ("1985-02-14", "19850214"),
        ("2026-11-25T08:00:00+07:00", "20261125080000+0700"),
        ("2026-11-25T08:00:00.1234Z", "20261125080000.1234+0000"),
        ("2026-11-25T08:00", "202611250800"),
    ],
)
def test_times(text: str, dtm: str) -> None:
    assert datetime_to_dtm(text) == dtm


def test_names_addresses_and_numbers_in_parts() -> None:
    assert human_name_to_xpn({"text": "Y Wang Niê"}) == ("Y Wang Niê",)
    assert human_name_to_xpn({"family": "Nguyễn", "given": ["Thị", "Bích", "Hoa"]}) == ("Nguyễn", "Hoa", "Thị Bích")
    assert address_to_xad({"text": "thôn 3, xã Ea Kao"}) == ("thôn 3, xã Ea Kao",)
    assert contact_point_to_xtn({"system": "phone", "value": "09", "use": "mobile"}, True)[-1] == "09"
    assert contact_point_to_xtn({"system": "email", "value": "a@b.vn"}, False) == ("", "NET", "Internet", "a@b.vn")


def test_coding_systems_have_their_names() -> None:
    assert system_to_name("http://hl7.org/fhir/sid/cvx") == "CVX"
    assert system_to_name("http://terminology.hl7.org/CodeSystem/v2-0162") == "HL70162"
    assert system_to_name(f"{DEFAULT.own}/sid/01032/code-v2-0064") == "HL70064"
    assert system_to_name(f"{DEFAULT.own}/sid/01032/code") == "L"
    assert system_to_name("urn:oid:1.2.3") == "1.2.3"
