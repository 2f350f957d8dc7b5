"""A report told by ORU and by SR: one report and one paper where the ORU names the SR, whichever comes first."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway import imaging_steps
from gateway.ops.rehearsal import Rehearsal
from gateway.pipeline import Pipeline
from gateway.store import documents, messages
from gateway.store.ids import uuid7
from gateway.store.messages import NewMessage
from mappings.dicom.body import Entry, join
from mappings.outcome import Resource
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, Inline, message, pid
from tests.unit.dicom import samples
from tests.unit.dicom.samples import STUDY, attributes

SR1, SR2 = f"{STUDY}.90.1", f"{STUDY}.90.2"
NUMBER = "BN000123"
TEXT, ORU_TEXT = "Viêm phổi thùy dưới phải", "Viêm phổi thùy dưới phải, theo RIS"


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock, migrated_file: Path) -> Desk:
    shutil.copy(migrated_file, tmp_path / "ledger.db")
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    return Desk(tmp_path / "site", url, clock, accept=("ADT", "ORU"), produce=("imaging_report",))


_count = itertools.count(1)


def oru(
    *uids: str,
    status: str = "F",
    said: str = ORU_TEXT,
    filler: str = "CT002",
    number: str = NUMBER,
    at: str = "20261103151500",
) -> bytes:
    """Write a report that names structured reports."""
    named = [f"OBX|{n}|HD|^SR Instance UID||{uid}||||||{status}" for n, uid in enumerate(uids, 1)]
    text = [f"OBX|9|FT|KET_LUAN^Kết luận^QD3176||{said}||||||{status}"] if said else []
    obr = f"OBR|1|CD002|{filler}|CT01^Chụp cắt lớp vi tính ngực|||20261103140000|||||||||||||||{at}||CT|{status}"
    return message("ORU^R01^ORU_R01", f"R{next(_count)}", pid(number), obr, *named, *text, at=at, sender="RIS")


def report(n: int = 1, *, replaces: str = "", said: str = TEXT, **more: Any) -> Entry:
    """Give a structured report."""
    if replaces:
        more["PredecessorDocumentsSequence"] = [samples.predecessor(replaces)]
    impression = samples.content(
        "CONTAINER", samples.IMPRESSIONS, ContentSequence=[samples.line(samples.IMPRESSION, said)]
    )
    return samples.document(samples.SR_TEXT, n, samples.REPORT, impression, **more)


def unverified(n: int = 1, **more: Any) -> Entry:
    return report(n, VerificationFlag="UNVERIFIED", VerifyingObserverSequence=None, **more)


def tell(desk: Desk, *objects: Entry, number: str = NUMBER) -> None:
    """Let a study be complete that holds these objects, and map it."""
    id_ = enter(desk, *objects, number=number)
    desk.work()
    assert desk.state(id_).state == "mapped", desk.state(id_)


def enter(desk: Desk, *objects: Entry, number: str = NUMBER) -> str:
    """Enter the message about a study, as the collector does."""
    picture = samples.picture(1, 1)
    entries: Sequence[Entry] = [_of(one, number) for one in (picture, *objects)]
    body, id_ = join(entries), uuid7()
    new = NewMessage(
        id=id_, channel=desk.plan.channels[0].settings.name, received_at=desk.clock.now(), peer="", sender="PACS|",
        control_id=id_, type=imaging_steps.STUDY, version="", size=len(body), sha256=hashlib.sha256(body).hexdigest(),
        body=desk.keyring.seal(body, id_), dedupe_key=None, order_key=b"0" * 16, state="received", answer="AA",
    )  # fmt: skip
    desk.store.write_now(lambda c: messages.insert_all(c, [new]))
    desk.clock.forward(1)
    return id_


def told(desk: Desk, first: str, *reports: bytes) -> None:
    """Tell reports and the study with a structured one, the ORU or the SR first."""
    if first == "sr":
        tell(desk, report())
    for one in reports:
        desk.send(one)
    if first == "oru":
        tell(desk, report())


def _of(one: Entry, number: str) -> Entry:
    return Entry(one.attributes | attributes(PatientID=number), one.facts, one.notices)


def reports(desk: Desk, number: str = NUMBER) -> list[Resource]:
    found = desk.of(desk.patient(number), "DiagnosticReport")
    return sorted(found, key=lambda one: str(one.get("issued")))


def papers(desk: Desk, number: str = NUMBER) -> list[tuple[str, int, str]]:
    """Give subject, version and state of the papers, the first first."""
    patient = desk.patient(number).partition("/")[2]
    found = desk.store.read_now(lambda c: documents.listing(c, patient_ids=[patient]))[::-1]
    return [(one.subject, one.version, one.state) for one in found if one.state != "void"]


def concluded(desk: Desk, report: Resource) -> list[str]:
    """Give the conclusion, and what the fields of the report say of it."""
    results = [desk.get(one["reference"]) for one in report.get("result", ())]
    fields = [one["valueString"] for one in results if one["code"]["coding"][0]["code"] == "KET_LUAN"]
    return [report.get("conclusion", ""), *fields]


def the(desk: Desk, number: str = NUMBER) -> Resource:
    (one,) = reports(desk, number)
    return one


def test_the_oru_first(desk: Desk) -> None:
    desk.send(oru(SR1))
    before = the(desk)
    tell(desk, report())
    one = the(desk)
    assert one["id"] == before["id"]
    assert concluded(desk, one) == [ORU_TEXT, ORU_TEXT]
    assert one["imagingStudy"]
    assert {subject for subject, _, _ in papers(desk)} == {f"DiagnosticReport/{one['id']}"}


def test_the_sr_first(desk: Desk) -> None:
    tell(desk, report())
    before = the(desk)
    desk.send(oru(SR1))
    one = the(desk)
    assert one["id"] == before["id"]
    assert concluded(desk, one) == [ORU_TEXT, ORU_TEXT]
    assert one["imagingStudy"]
    assert [version for _, version, _ in papers(desk)] == [1, 2]
    assert len({subject for subject, _, _ in papers(desk)}) == 1


@pytest.mark.parametrize("first", ["oru", "sr"])
def test_both_at_the_same_moment(desk: Desk, first: str) -> None:
    pool: Any = Inline()
    desk.pipeline = Pipeline(desk.plan, desk.store, pool, desk.clock, "n1", ring=lambda: None, parallel=8)
    if first == "sr":
        enter(desk, report())
    assert desk.ask(oru(SR1)).positive
    if first == "oru":
        enter(desk, report())
    desk.work()
    assert concluded(desk, the(desk)) == [ORU_TEXT, ORU_TEXT]
    assert len({subject for subject, _, _ in papers(desk)}) == 1


def test_mapping_again_is_rehearsed_as_it_would_be(desk: Desk) -> None:
    told(desk, "sr", oru(SR1))
    (message_id,) = [
        one.id for one in desk.store.read_now(lambda c: messages.listing(c, limit=0)) if one.type.startswith("ORU")
    ]
    said = desk.store.read_now(lambda c: Rehearsal(desk.plan, desk.clock.now()).one(c, message_id))
    assert (said.outcome, list(said.differences)) == ("mapped", [])


def test_an_unverified_sr_first_makes_no_paper_until_the_oru_comes(desk: Desk) -> None:
    tell(desk, unverified())
    assert papers(desk) == []
    desk.send(oru(SR1))
    assert the(desk)["status"] == "final"
    assert len(papers(desk)) == 1


@pytest.mark.parametrize("amends", [False, True], ids=["the one named", "a draft of an amendment"])
def test_an_unverified_sr_leaves_a_final_oru_as_it_is(desk: Desk, amends: bool) -> None:
    desk.send(oru(SR1))
    known = papers(desk)
    tell(desk, unverified(2, replaces=SR1, said="Bản nháp") if amends else unverified(said="Bản nháp"))
    one = the(desk)
    assert (one["status"], concluded(desk, one)) == ("final", [ORU_TEXT, ORU_TEXT])
    assert {subject for subject, _, _ in papers(desk)} == {known[0][0]}


def test_a_draft_leaves_the_verified_sr_of_a_final_oru_as_it_is(desk: Desk) -> None:
    desk.send(oru(SR1, said=""))
    tell(desk, report())
    tell(desk, report(), unverified(2, replaces=SR1, said="Bản nháp"))
    one = the(desk)
    assert (one["status"], concluded(desk, one)) == ("final", [TEXT, TEXT])


def test_an_oru_without_text_gets_that_of_the_sr(desk: Desk) -> None:
    desk.send(oru(SR1, said=""))
    tell(desk, report())
    assert concluded(desk, the(desk)) == [TEXT, TEXT]
    assert papers(desk)[-1][2] != "error"


@pytest.mark.parametrize("first", ["oru", "sr"])
def test_an_amended_sr_is_the_next_version(desk: Desk, first: str) -> None:
    told(desk, first, oru(SR1))
    before = the(desk)
    tell(desk, report(), report(2, replaces=SR1, said="Lao phổi"))
    one = the(desk)
    assert (one["id"], one["status"]) == (before["id"], "amended")
    assert concluded(desk, one) == ["Lao phổi", "Lao phổi"]
    assert len({subject for subject, _, _ in papers(desk)}) == 1
    tell(desk, report(), report(2, replaces=SR1, said="Lao phổi"))  # a late picture
    desk.send(oru(SR1))  # of the version before, late
    assert concluded(desk, the(desk)) == ["Lao phổi", "Lao phổi"]
    desk.send(oru(SR2, status="C", said="Lao phổi, theo RIS", at="20261103180000"))
    tell(desk, report(), report(2, replaces=SR1, said="Lao phổi"))  # another late picture
    one = the(desk)
    assert (one["status"], concluded(desk, one)) == ("corrected", ["Lao phổi, theo RIS"] * 2)


def test_an_amended_sr_that_the_oru_named_first(desk: Desk) -> None:
    desk.send(oru(SR1))
    desk.send(oru(SR2, status="C", said="Lao phổi, theo RIS", at="20261103180000"))
    tell(desk, report())
    tell(desk, report(), report(2, replaces=SR1, said="Lao phổi"))
    one = the(desk)
    assert (one["status"], concluded(desk, one)) == ("corrected", ["Lao phổi, theo RIS"] * 2)


def test_a_correction_of_the_oru_is_not_undone_by_a_late_picture(desk: Desk) -> None:
    tell(desk, report())
    desk.send(oru(SR1))
    desk.send(oru(SR1, status="C", said="Lao phổi", at="20261103180000"))
    tell(desk, report(), samples.picture(1, 2))
    one = the(desk)
    assert (one["status"], concluded(desk, one)) == ("corrected", ["Lao phổi"] * 2)


def test_an_oru_that_is_mapped_again_does_not_mix_its_words_with_those_of_an_amended_sr(desk: Desk) -> None:
    first = desk.send(oru(SR1))
    tell(desk, report(), report(2, replaces=SR1, said="Lao phổi"))
    desk.store.write_now(lambda c: messages.move(c, first, "reprocess"))
    desk.work()
    assert concluded(desk, the(desk)) == ["Lao phổi", "Lao phổi"]


def test_two_reports_of_one_accession_stay_two(desk: Desk) -> None:
    desk.send(oru(SR1))
    tell(desk, report(), report(2, said="Gãy xương sườn"))
    assert len(reports(desk)) == 2
    assert len({subject for subject, _, _ in papers(desk)}) == 2


def test_an_oru_that_names_no_sr_stays_apart(desk: Desk) -> None:
    desk.send(oru())
    tell(desk, report())
    assert len(reports(desk)) == 2


@pytest.mark.parametrize("first", ["oru", "sr"])
def test_two_orders_that_name_one_sr_stay_apart(desk: Desk, first: str) -> None:
    told(desk, first, oru(SR1), oru(SR1, filler="CT003"))
    assert {tuple(concluded(desk, one)) for one in reports(desk)} == {(ORU_TEXT,) * 2, (TEXT,) * 2} - (
        {(TEXT,) * 2} if first == "sr" else set()
    )
    assert len(reports(desk)) == (3 if first == "oru" else 2)


@pytest.mark.parametrize("first", ["oru", "sr"])
def test_an_sr_of_another_person_is_another_report(desk: Desk, first: str) -> None:
    told(desk, first, oru(SR1, number="BN9"))
    assert concluded(desk, the(desk)) == [TEXT, TEXT]
    assert concluded(desk, the(desk, "BN9")) == [ORU_TEXT, ORU_TEXT]
    assert "imagingStudy" not in the(desk, "BN9")
    assert papers(desk)[0][0] != papers(desk, "BN9")[0][0]


@pytest.mark.parametrize("first", ["oru", "sr"])
def test_a_study_that_goes_to_another_person_takes_its_words_along(desk: Desk, first: str) -> None:
    told(desk, first, oru(SR1))
    tell(desk, report(), report(2, replaces=SR1, said="Lao phổi"))
    tell(desk, report(), report(2, replaces=SR1, said="Lao phổi"), number="BN9")
    assert concluded(desk, the(desk)) == [ORU_TEXT, ORU_TEXT]
    assert "imagingStudy" not in the(desk)
    assert concluded(desk, the(desk, "BN9")) == ["Lao phổi", "Lao phổi"]
    tell(desk, report(), report(2, replaces=SR1, said="Lao phổi"), number="BN9")
    assert len(reports(desk, "BN9")) == 1
