"""The life of a paper: due, incomplete, made, made again, withdrawn, given out once more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway import papers
from gateway.faults import PaperNotThere
from gateway.store import actions, deliveries, documents
from mappings.formats import json, safe_xml
from mappings.outcome import Resource
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, message, pid

FOLDER = '\n[[destination]]\nkind = "folder"\nfolder = "out"\nbasis = "law"\n'
DOCTOR = "000123/HNO-CCHN^Lê^Minh^Quang^^BS^^^^L^^^LN"
NS = {"h": "urn:hl7-org:v3"}


@pytest.fixture
def desk(tmp_path: Path, store_url: str, clock: HandClock) -> Desk:
    return Desk(tmp_path, store_url, clock, destinations=FOLDER)


def stay(kind: str = "I", end: str = "20261121100000") -> str:
    fields = {1: "1", 2: kind, 3: "K1^1^1", 7: DOCTOR, 19: "VV1^^^01999^VN", 44: "20261119080000", 45: end}
    return "|".join(("PV1", *(fields.get(n, "") for n in range(1, 46))))


def segments(treatment: str = "Kháng sinh", illness: str = "J18.9^Viêm phổi^I10", **pv1: str) -> list[str]:
    person = pid("BN1", more="|||12 Lê Lợi^^Hoàn Kiếm^Hà Nội^^VN")
    told = [f"OBX|1|TX|PP_DIEUTRI^Phương pháp điều trị^QD3176||{treatment}||||||F"] if treatment else []
    return [person, stay(**pv1), f"DG1|1||{illness}||20261121|F|||||||||1", *told]


def discharge(control_id: str, **told: str) -> bytes:
    return message("ADT^A03", control_id, *segments(**told))


def change(control_id: str, trigger: str = "ADT^A08", **told: str) -> bytes:
    return message(trigger, control_id, *segments(**told))


def rows(desk: Desk) -> list[Any]:
    """Give what was asked for, oldest first."""
    return desk.store.read_now(lambda c: documents.listing(c))[::-1]


def states(desk: Desk) -> list[tuple[str, int, str]]:
    return [(row.act, row.version, row.state) for row in rows(desk)]


def document(desk: Desk, row: Any) -> Resource:
    (kept,) = desk.store.read_now(lambda c: documents.renditions(c, row.id, "fhir"))
    found: Resource = json.loads(desk.keyring.open(kept.body, f"{row.id}/fhir"))
    return found


def cda(desk: Desk, row: Any) -> Any:
    (kept,) = desk.store.read_now(lambda c: documents.renditions(c, row.id, "cda"))
    return safe_xml.parse(desk.keyring.open(kept.body, f"{row.id}/cda"))


def waiting(desk: Desk, row: Any) -> list[str]:
    return [one.state for one in desk.store.read_now(lambda c: deliveries.listing(c, document_id=row.id))]


def test_a_paper_that_lacks_something_is_made_as_soon_as_it_is_told(desk: Desk) -> None:
    desk.send(discharge("1", treatment=""))
    (row,) = rows(desk)
    assert (row.state, row.fault_code, row.fault_detail) == ("error", 3201, "PP_DIEUTRI ← OBX PP_DIEUTRI")
    assert waiting(desk, row) == ["error"]
    desk.send(change("2"))
    assert states(desk) == [("make", 1, "signed")]
    assert waiting(desk, row) == ["queued"]


def test_the_same_content_makes_no_new_version(desk: Desk) -> None:
    desk.send(discharge("1"))
    desk.send(change("2"))
    desk.send(discharge("3"))
    assert [(act, state) for act, _, state in states(desk)] == [
        ("make", "signed"),
        ("renew", "unchanged"),
        ("make", "unchanged"),
    ]
    assert [waiting(desk, row) for row in rows(desk)] == [["queued"], ["closed"], ["closed"]]


def test_a_correction_is_the_next_version_with_reason_and_relation(desk: Desk) -> None:
    desk.send(discharge("1"))
    desk.send(change("2"))
    desk.send(change("3", illness="J15.9^Viêm phổi do vi khuẩn^I10"))
    first, _, third = rows(desk)
    assert (third.act, third.version, third.state, third.replaces_id) == ("renew", 2, "signed", first.id)
    made = document(desk, third)
    head = made["entry"][0]["resource"]
    assert head["relatesTo"][0]["targetIdentifier"]["value"] == first.id
    assert "Lý do: Dữ liệu mới từ bản tin ADT^A08" in head["section"][-1]["text"]["div"]
    (told,) = [e["resource"] for e in made["entry"] if e["resource"]["resourceType"] == "Provenance"]
    assert told["target"] == [{"reference": f"Composition/{third.id}"}]
    assert told["entity"][0]["what"]["identifier"]["value"] == first.id
    root = cda(desk, third)
    assert root.findtext("h:versionNumber", namespaces=NS) is not None
    assert root.find("h:versionNumber", NS).get("value") == "2"
    assert root.find("h:relatedDocument", NS).get("typeCode") == "RPLC"
    assert root.find("h:relatedDocument/h:parentDocument/h:id", NS).get("root") == first.id
    assert root.find("h:setId", NS).get("root") == cda(desk, first).find("h:setId", NS).get("root")
    assert document(desk, first)["entry"][0]["resource"]["status"] == "final"


def test_a_withdrawal_is_a_version_too(desk: Desk) -> None:
    desk.send(discharge("1"))
    desk.send(change("2", trigger="ADT^A13", end=""))
    first, second = rows(desk)
    assert (second.act, second.version, second.state, second.replaces_id) == ("cancel", 2, "signed", first.id)
    head = document(desk, second)["entry"][0]["resource"]
    assert head["status"] == "entered-in-error"
    assert "GIẤY NÀY ĐÃ BỊ HỦY" in head["section"][0]["text"]["div"]
    assert "HUY_GIAY" in {node.get("ID") for node in cda(desk, second).iter()}
    desk.send(change("3"))
    desk.send(change("4", trigger="ADT^A13", end=""))
    assert len(rows(desk)) == 2, "what is withdrawn is neither made again nor withdrawn again"
    desk.send(discharge("5"))
    assert states(desk)[-1] == ("make", 3, "signed")


def test_the_withdrawal_of_what_was_never_issued_leaves_nothing_to_do(desk: Desk) -> None:
    desk.send(discharge("1", treatment=""))
    desk.send(change("2", trigger="ADT^A13", end="", treatment=""))
    assert states(desk) == [("make", 1, "closed")]
    assert waiting(desk, rows(desk)[0]) == ["closed"]


def test_an_outpatient_gets_no_discharge_paper(desk: Desk) -> None:
    desk.send(discharge("1", kind="O"))
    assert rows(desk) == []


def test_the_time_counts_from_the_discharge(desk: Desk) -> None:
    desk.send(discharge("1"))
    (row,) = rows(desk)
    assert row.deadline_at == 1_795_230_000_000_000 + 24 * 3_600_000_000


def test_a_person_asks_for_it_once_more(desk: Desk) -> None:
    desk.send(discharge("1"))
    subject = rows(desk)[0].subject

    def ask(act: str) -> str:
        return desk.store.write_now(
            lambda c: papers.request(
                c, desk.plan, "discharge_paper", subject, act, actor="lan.nt", reason="mất giấy", now=desk.clock.now()
            )
        )

    again = ask("reissue")
    desk.work()
    assert states(desk)[-1] == ("reissue", 2, "signed")
    head = document(desk, rows(desk)[-1])["entry"][0]["resource"]
    assert "CẤP LẠI" in head["section"][0]["text"]["div"]
    assert "Người yêu cầu: lan.nt" in head["section"][-1]["text"]["div"]
    (act,) = desk.store.read_now(lambda c: actions.of_target(c, again))
    assert (act.actor, act.verb, act.reason) == ("lan.nt", "reissue", "mất giấy")
    ask("cancel")
    desk.work()
    assert states(desk)[-1] == ("cancel", 3, "signed")


def test_what_was_not_issued_can_be_neither_withdrawn_nor_given_out_again(desk: Desk) -> None:
    for act in ("cancel", "reissue"):
        with pytest.raises(PaperNotThere):
            desk.store.write_now(
                lambda c, act=act: papers.request(  # type: ignore[misc]
                    c, desk.plan, "discharge_paper", "Encounter/x", act, actor="lan.nt", reason="", now=1
                )
            )


def entry(control_id: str, number: str, orders: str, at: str) -> bytes:
    txa = f"TXA|1|36/BV2^Tờ điều trị^TT32|TX|{at}||{at}|||{DOCTOR}|||{number}^HIS|||||AU||AV"
    told = f"OBX|1|TX|Y_LENH^Y lệnh^QD3176||{orders}||||||F"
    return message("MDM^T02", control_id, pid("BN1"), stay(end=""), txa, told)


def test_a_paper_about_one_day_of_a_visit_has_versions_for_that_day(
    tmp_path: Path, store_url: str, clock: HandClock
) -> None:
    desk = Desk(tmp_path, store_url, clock, produce=("treatment_sheet",), destinations=FOLDER)
    desk.send(entry("1", "T1", "Kháng sinh", "20261120080000"))
    desk.send(entry("2", "T2", "Ăn cháo", "20261120160000"))
    desk.send(entry("3", "T3", "Ra viện", "20261121080000"))
    found = rows(desk)
    assert [(row.paper, row.version, row.state) for row in found] == [
        ("treatment_sheet", 1, "signed"),
        ("treatment_sheet", 2, "signed"),
        ("treatment_sheet", 1, "signed"),
    ]
    assert [row.subject.partition("#")[2] for row in found] == ["2026-11-20", "2026-11-20", "2026-11-21"]
    course = [
        section for section in document(desk, found[1])["entry"][0]["resource"]["section"] if section.get("entry")
    ]
    assert "Kháng sinh" in str(course)
    assert "Ra viện" not in str(course)
    asked = desk.store.write_now(
        lambda c: papers.request(
            c, desk.plan, "treatment_sheet", found[2].subject, "cancel", actor="an", reason="nhầm", now=desk.clock.now()
        )
    )
    desk.work()
    assert desk.store.read_now(lambda c: documents.get(c, asked)).state == "signed"
