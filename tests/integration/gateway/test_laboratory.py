"""Results of instruments meet the orders of the record, one report of the right person or of nobody; questions are answered."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.records import critical_values
from gateway.store import lab, messages
from mappings.formats import astm
from mappings.outcome import Resource
from tests.conftest import HandClock
from tests.integration.gateway.desk import FACILITY, Desk

ACCEPT = ("ADT", "OML", "ORU", "ASTM", "ASTM^QUERY")
OWN = "https://lienthong.vn/fhir"
ANALYSER = """\
source,code,target_system,target,display,equivalence,valid_from,valid_to
AN-500,HGB,,HGB,Hemoglobin,equivalent,,
AN-500,HGB,http://loinc.org,718-7,Hemoglobin,equivalent,,
AN-500,K,http://loinc.org,2823-3,Potassium,equivalent,,
AN-900,K,http://loinc.org,6298-4,Potassium in blood,equivalent,,
"""
LIMITS = "code,sex,age_from,age_to,low,high,unit\n"


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock, migrated_file: Path) -> Desk:
    shutil.copy(migrated_file, tmp_path / "ledger.db")
    return made(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}", clock)


def made(tmp_path: Path, url: str, clock: HandClock) -> Desk:
    own = tmp_path / "site" / "site"
    (own / "lab").mkdir(parents=True)
    (own / "site-analyser.csv").write_text(ANALYSER, encoding="utf-8")
    (own / "lab" / "ranges.csv").write_text(
        LIMITS + "HGB,M,18y,,130,170,g/L\nHGB,F,18y,,120,155,g/L\n", encoding="utf-8"
    )
    (own / "lab" / "critical.csv").write_text(LIMITS + "HGB,,,,70,200,g/L\n", encoding="utf-8")
    return Desk(tmp_path / "site", url, clock, accept=ACCEPT, produce=("lab_report",))


def order(
    desk: Desk,
    number: str = "XN1",
    specimen: str = "260305001",
    patient: str = "BN1",
    name: str = "TRẦN^AN^VĂN",
    test: str = "HGB^Hemoglobin^L",
) -> str:
    raw = "\r".join(
        [
            f"MSH|^~\\&|HIS|{FACILITY}|LT|{FACILITY}|20260305080000||OML^O21^OML_O21|{number}{patient}|P|2.5.1",
            f"PID|1||{patient}^^^{FACILITY}^PI||{name}||19900215|M",
            f"ORC|NW|{number}",
            f"OBR|1|{number}||{test}|||20260305083000|||||||||||||||||LAB",
            f"SPM|1|{specimen}||BLD",
            "",
        ]
    )
    return desk.send(raw.encode())


def records(*lines: str, sent: str = "20260305091000", sender: str = "AN-500", control: str = "") -> bytes:
    head = f"H|\\^&|{control}||{sender}|||||||P|LIS2-A2|{sent}"
    return "\r".join([head, *lines, "L|1|N", ""]).encode()


def result(
    specimen: str = "260305001",
    value: str = "135",
    status: str = "F",
    patient: str = "P|1",
    test: str = "HGB",
    **more: Any,
) -> bytes:
    return records(patient, f"O|1|{specimen}||^^^{test}", f"R|1|^^^{test}|{value}|g/L||||{status}", **more)


def reports(desk: Desk, patient: str = "BN1") -> list[Resource]:
    return [one for one in everything(desk, patient) if one["resourceType"] == "DiagnosticReport"]


def everything(desk: Desk, patient: str = "BN1") -> list[Resource]:
    from mappings.ids import resource_id

    return desk.record(f"Patient/{resource_id('Patient', f'{OWN}/sid/{FACILITY}/patient', patient)}")


def fault(desk: Desk, raw: bytes) -> tuple[str, int, str]:
    """Take a message and map it; give state, fault and what it says."""
    answer = desk.ask(raw)
    desk.clock.forward(1)
    desk.work()
    row = desk.state(str(answer.message_id))
    return row.state, row.fault_code, row.fault_detail


def test_a_result_joins_the_order_of_its_specimen_and_closes_it(desk: Desk) -> None:
    order(desk)
    desk.send(result())
    (report,) = reports(desk)
    (asked,) = [one for one in everything(desk) if one["resourceType"] == "ServiceRequest"]
    (observation,) = [one for one in everything(desk) if one["resourceType"] == "Observation"]
    assert report["status"] == "final"
    assert report["basedOn"] == [{"reference": f"ServiceRequest/{asked['id']}"}]
    assert report["code"]["coding"][0]["code"] == "HGB"
    assert asked["status"] == "completed"
    assert observation["valueQuantity"]["value"] == 135
    assert [coding["code"] for coding in observation["code"]["coding"]] == ["HGB", "HGB"]
    (patient,) = [one for one in everything(desk) if one["resourceType"] == "Patient"]
    assert patient["name"][0]["text"] == "TRẦN VĂN AN"


def test_a_laboratory_system_and_an_instrument_speak_of_one_report(desk: Desk) -> None:
    order(desk)
    desk.send(result())
    before = reports(desk)
    oru = "\r".join(
        [
            f"MSH|^~\\&|LIS|{FACILITY}|LT|{FACILITY}|20260305093000||ORU^R01^ORU_R01|R1|P|2.5.1",
            f"PID|1||BN1^^^{FACILITY}^PI||TRẦN^AN^VĂN||19900215|M",
            "OBR|1|XN1||HGB^Hemoglobin^L|||20260305083000|||||||||||||||||LAB|F",
            "OBX|1|NM|HGB^Hemoglobin^L||135|g/L|||||F",
            "",
        ]
    )
    desk.send(oru.encode())
    assert [one["id"] for one in reports(desk)] == [one["id"] for one in before]
    assert len([one for one in everything(desk) if one["resourceType"] == "Observation"]) == 1


def test_corrections_are_versions_of_one_report(desk: Desk) -> None:
    order(desk)
    desk.send(result(value="135"))
    for n, value in enumerate(("136", "137", "138"), 2):
        desk.send(result(value=value, status="C", sent=f"2026030509{n}000"))
    (report,) = reports(desk)
    (observation,) = [one for one in everything(desk) if one["resourceType"] == "Observation"]
    assert (report["status"], observation["status"], observation["valueQuantity"]["value"]) == (
        "corrected",
        "corrected",
        138,
    )
    assert desk.version(f"Observation/{observation['id']}") == 4


def test_results_told_one_by_one_are_one_report(desk: Desk) -> None:
    order(desk, test="CBC^Công thức máu^L")
    desk.send(result(test="HGB"))
    desk.send(result(test="PLT", status="P", sent="20260305092000"))
    (report,) = reports(desk)
    assert (len(report["result"]), report["status"]) == (2, "partial")
    desk.send(result(test="PLT", status="F", sent="20260305093000"))
    (report,) = reports(desk)
    assert (len(report["result"]), report["status"]) == (2, "final")


def test_of_several_orders_of_a_specimen_each_gets_its_results(desk: Desk) -> None:
    order(desk, "XN1", test="HGB^Hemoglobin^L")
    order(desk, "XN2", test="CRP^CRP^L")
    desk.send(records("P|1", "O|1|260305001||^^^ALL", "R|1|^^^HGB|135|g/L||||F", "R|2|^^^CRP|4.0|mg/L||||F"))
    found = {one["code"]["coding"][0]["code"]: len(one["result"]) for one in reports(desk)}
    assert found == {"HGB": 1, "CRP": 1}


def test_nobody_known_is_nobody(desk: Desk) -> None:
    assert fault(desk, result()) == ("error", 3383, "")
    assert fault(desk, result(patient="P|1|BN9"))[:2] == ("error", 3383)
    assert everything(desk) == []


def test_a_name_of_somebody_else_stops_the_result(desk: Desk) -> None:
    order(desk)
    state, code, detail = fault(desk, result(patient="P|1||||LE^HOA"))
    assert (state, code, detail) == ("error", 3384, "name of another")
    assert reports(desk) == []
    assert fault(desk, result(patient="P|1||||TRAN^AN^VAN", value="134"))[0] == "mapped"


def test_a_number_of_somebody_else_stops_the_result(desk: Desk) -> None:
    order(desk)
    order(desk, "XN7", "260305007", "BN7", "LÊ^HOA")
    assert fault(desk, result(patient="P|1|BN7"))[:2] == ("error", 3384)
    assert reports(desk) == reports(desk, "BN7") == []


def test_a_specimen_number_of_two_persons_stops_the_result(desk: Desk) -> None:
    order(desk)
    order(desk, "XN7", "260305001", "BN7", "LÊ^HOA")
    assert fault(desk, result())[:2] == ("error", 3384)
    assert fault(desk, result(value="133", patient="P|1|BN7"))[:2] == ("error", 3384)


def test_a_number_that_was_merged_away_stops_the_result(desk: Desk) -> None:
    order(desk)
    order(desk, "XN7", "260305007", "BN7", "TRẦN^AN^VĂN")
    merge = "\r".join(
        [
            f"MSH|^~\\&|HIS|{FACILITY}|LT|{FACILITY}|20260305090000||ADT^A40^ADT_A39|M1|P|2.5.1",
            "EVN|A40|20260305090000",
            f"PID|1||BN1^^^{FACILITY}^PI||TRẦN^AN^VĂN||19900215|M",
            f"MRG|BN7^^^{FACILITY}^PI",
            "",
        ]
    )
    desk.send(merge.encode())
    assert fault(desk, result("999", patient="P|1|BN7"))[:2] == ("error", 3385)
    assert fault(desk, result("260305007"))[0] == "mapped"
    assert len(reports(desk)) == 1


def test_a_person_moves_a_result(desk: Desk) -> None:
    order(desk)
    answer = desk.ask(result(patient="P|1||||LE^HOA"))
    desk.work()
    message_id = str(answer.message_id)
    sealed = desk.keyring.seal(b"BN1", f"lab/{message_id}")

    def unit(connection: Any) -> None:
        lab.assign(connection, message_id, sealed, desk.clock.now())
        messages.move(connection, message_id, "reprocess", due_at=desk.clock.now(), attempts=0)

    desk.store.write_now(unit)
    desk.work()
    assert desk.state(message_id).state == "mapped"
    assert len(reports(desk)) == 1


def test_a_patient_number_leads_where_there_is_no_order(desk: Desk) -> None:
    order(desk)
    desk.send(result("555", patient="P|1|BN1"))
    (report,) = reports(desk)
    assert report["code"] == {"text": "Xét nghiệm trên máy AN-500"}
    assert report["identifier"][0]["value"] == "555"


def test_controls_touch_no_record(desk: Desk) -> None:
    order(desk)
    before = everything(desk)
    desk.send(records("P|1|BN1", "O|1|260305001||^^^HGB|||||||Q", "R|1|^^^HGB|121|g/L||||F"))
    assert everything(desk) == before


def test_the_same_bytes_are_taken_once_and_another_message_under_the_number_is_another(desk: Desk) -> None:
    order(desk)
    first = desk.send(result(control="7"))
    again = desk.ask(result(control="7"))
    assert again.positive
    assert desk.state(str(again.message_id)).state == "duplicate"
    assert desk.state(first).state == "mapped"
    assert desk.state(desk.send(result(control="7", value="140"))).state == "mapped"


def test_rubbish_is_kept_with_its_fault(desk: Desk) -> None:
    answer = desk.ask(b"H|\\^&|1\rNONSENSE\r")
    assert not answer.positive
    assert answer.frames[0].startswith(b"MSH")
    assert desk.state(str(answer.message_id)).fault_code == 2016


def asks(*questions: str) -> bytes:
    return records(*questions)


def test_an_instrument_asks_and_is_told_what_waits(desk: Desk) -> None:
    order(desk)
    answer = desk.ask(asks("Q|1|^260305001||ALL||||||||O"))
    assert answer.positive
    (frame,) = answer.frames
    told = astm.Message.parse(frame)
    assert [record.name for record in told.records] == ["H", "P", "O", "L"]
    assert told.value("P-3") == "BN1"
    assert (told.value("P-6.1"), told.value("P-6.2"), told.value("P-6.3")) == ("TRAN", "AN", "VAN")
    assert (told.value("P-8"), told.value("P-9")) == ("19900215", "M")
    assert (told.value("O-3"), told.value("O-5.4"), told.value("O-12"), told.value("O-26")) == (
        "260305001",
        "HGB",
        "A",
        "Q",
    )
    assert told.value("L-3") == "F"
    assert desk.state(str(answer.message_id)).state == "answered"


def test_what_is_done_waits_no_more(desk: Desk) -> None:
    order(desk)
    desk.send(result())
    (frame,) = desk.ask(asks("Q|1|^260305001||ALL||||||||O")).frames
    told = astm.Message.parse(frame)
    assert [record.name for record in told.records] == ["H", "L"]
    assert told.value("L-3") == "I"


def test_an_instrument_asks_for_everything_by_person_or_takes_back(desk: Desk) -> None:
    order(desk)
    order(desk, "XN7", "260305007", "BN7", "LÊ^HOA")
    (frame,) = desk.ask(asks("Q|1|ALL||ALL||||||||O")).frames
    assert [one[3].text for one in astm.Message.parse(frame).all("O")] == ["260305001", "260305007"]
    (frame,) = desk.ask(asks("Q|1|BN7||ALL||||||||O")).frames
    assert [one[3].text for one in astm.Message.parse(frame).all("O")] == ["260305007"]
    (frame,) = desk.ask(asks("Q|1|^260305001||ALL||||||||A")).frames
    assert b"TRAN" not in frame


def test_a_question_is_answered_only_where_the_channel_names_it(tmp_path: Path, clock: HandClock) -> None:
    desk = Desk(tmp_path / "site", f"sqlite:///{tmp_path / 'ledger.db'}", clock, accept=("ASTM",))
    answer = desk.ask(asks("Q|1|ALL||ALL"))
    assert not answer.positive
    assert desk.state(str(answer.message_id)).state == "error"


def test_tables_of_the_site_give_codes_ranges_and_critical_values(desk: Desk) -> None:
    order(desk)
    desk.send(result(value="65"))
    (observation,) = [one for one in everything(desk) if one["resourceType"] == "Observation"]
    (limits,) = observation["referenceRange"]
    assert (limits["low"]["value"], limits["high"]["value"]) == (130, 170)
    assert observation["interpretation"][0]["coding"][0]["code"] == "L"
    (critical,) = desk.store.read_now(lambda c: critical_values.listed(c, desk.keyring, every=False, limit=0))
    assert (critical.found.value, critical.found.limit, critical.found.side) == ("65", "70-200", "low")
    assert critical.row.patient_id
    desk.send(result(value="65", sent="20260305092000"))
    assert desk.store.read_now(lab.open_values)[0] == 1
    desk.store.write_now(
        lambda c: critical_values.acknowledge(c, desk.keyring, critical.row.id, at=5, actor="ktv", note="BS Lan")
    )
    assert desk.store.read_now(lab.open_values) == (0, 0)
    (done,) = desk.store.read_now(lambda c: critical_values.listed(c, desk.keyring, every=True, limit=0))
    assert (done.row.state, done.row.actor, done.note) == ("acknowledged", "ktv", "BS Lan")


def test_a_critical_value_of_the_laboratory_system_is_one_too(desk: Desk) -> None:
    oru = "\r".join(
        [
            f"MSH|^~\\&|LIS|{FACILITY}|LT|{FACILITY}|20260305093000||ORU^R01^ORU_R01|R1|P|2.5.1",
            f"PID|1||BN1^^^{FACILITY}^PI||TRẦN^AN^VĂN||19900215|M",
            "OBR|1|XN1||HGB^Hemoglobin^L|||20260305083000|||||||||||||||||LAB|F",
            "OBX|1|NM|HGB^Hemoglobin^L||210|g/L|||||F",
            "",
        ]
    )
    desk.send(oru.encode())
    (critical,) = desk.store.read_now(lambda c: critical_values.listed(c, desk.keyring, every=False, limit=0))
    assert (critical.found.value, critical.found.side) == ("210", "high")


def test_a_table_row_holds_for_its_instrument_alone(desk: Desk) -> None:
    order(desk, test="K^Kali^L")
    desk.send(records("P|1", "O|1|260305001||^^^K", "R|1|^^^K|4.10|mmol/L||||F"))
    (observation,) = [one for one in everything(desk) if one["resourceType"] == "Observation"]
    assert {coding["code"] for coding in observation["code"]["coding"]} == {"K", "2823-3"}


def test_a_final_report_becomes_a_paper(desk: Desk) -> None:
    order(desk)
    desk.send(result(patient="P|1|BN1"))
    from gateway.store import documents

    assert desk.store.read_now(lambda c: [row.paper for row in documents.listing(c)]) == ["lab_report"]


def test_the_same_on_each_engine(tmp_path: Path, clock: HandClock, store_url: str) -> None:
    desk = made(tmp_path / "house", store_url, clock)
    order(desk, "XNP", "P260305001", "BNP")
    order(desk, "XNP", "P260305001", "BNP")
    (frame,) = desk.ask(asks("Q|1|^P260305001||ALL||||||||O")).frames
    assert astm.Message.parse(frame).value("O-3") == "P260305001"
    desk.send(result("P260305001", "65"))
    desk.send(result("P260305001", "66", "C", sent="20260305093000"))
    (report,) = reports(desk, "BNP")
    assert report["status"] == "corrected"
    found = desk.store.read_now(lambda c: critical_values.listed(c, desk.keyring, every=False, limit=0))
    assert {one.found.value for one in found} == {"65", "66"}
    for one in found:
        tell = partial(critical_values.acknowledge, keyring=desk.keyring, value_id=one.row.id)
        desk.store.write_now(partial(tell, at=5, actor="ktv", note="BS Lan"))
    assert desk.store.read_now(lab.open_values) == (0, 0)
    answer = desk.ask(result("P999"))
    desk.work()
    desk.store.write_now(lambda c: lab.assign(c, str(answer.message_id), b"x", 1))
    desk.store.write_now(lambda c: lab.assign(c, str(answer.message_id), b"y", 2))
    assert desk.store.read_now(lambda c: lab.assigned(c, str(answer.message_id))) == b"y"
    desk.store.close()


def test_records_that_were_cut_off_give_no_result_over_any_wire(desk: Desk) -> None:
    order(desk)
    whole = result(value="135")
    assert fault(desk, whole[: whole.index(b"135") + 2])[:2] == ("error", 2150)
    assert [one for one in everything(desk) if one["resourceType"] == "Observation"] == []
