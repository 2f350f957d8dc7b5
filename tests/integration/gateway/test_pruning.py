"""Files of studies are removed when a person asks, and never what is still needed; what is interrupted is ended later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.engine import Connection

from connectors.faults import ObjectStoreAway
from gateway import pruning, states
from gateway.clock import SECOND
from gateway.pruning import Pruning
from gateway.store import images
from gateway.store.objects import Objects
from gateway.store.schema import delivery, document, message
from tests.conftest import HandClock
from tests.integration.gateway.gallery import SEARCH, Gallery, parts, picture
from tests.site import cli, cli_json

STUDY = "1.2.40.1"
DAY = 24 * 3600


@pytest.fixture
def gallery(tmp_path: Path, store_url: str, clock: HandClock) -> Iterator[Gallery]:
    made = Gallery(tmp_path, clock, url=store_url)
    yield made
    made.store.close()


def of(gallery: Gallery) -> Pruning:
    return Pruning(gallery.plan, gallery.store, gallery.clock)


def imaging_study(gallery: Gallery) -> Any:
    found = gallery.desk.of(gallery.desk.patient("BN1"), "ImagingStudy")
    return next(one for one in found if one["identifier"][0]["value"] == f"urn:oid:{STUDY}")


def test_files_go_and_everything_that_was_made_of_them_stays(gallery: Gallery) -> None:
    ids = gallery.keep(picture(1), picture(2))
    other = gallery.keep(picture(1, "1.2.40.2", AccessionNumber="CD2"))
    before = imaging_study(gallery)
    (choice,) = of(gallery).chosen([STUDY], 0)
    assert (choice.uid, choice.objects, choice.stays) == (STUDY, 2, "")
    assert choice.size == sum(gallery.store.read_now(lambda c: [one.size for one in images.of_scope(c, STUDY)]))
    assert all(gallery.file(one).exists() for one in ids)  # looking changes nothing
    of(gallery).prune(STUDY, "an", "quá 2 năm")
    assert not any(gallery.file(one).exists() for one in ids)
    assert gallery.file(other[0]).exists()
    assert gallery.actions("prune") == [("an", STUDY, "2 files; quá 2 năm")]
    assert imaging_study(gallery) == before
    with gallery.client() as client:
        (found,) = client.post(SEARCH, data={"StudyInstanceUID": STUDY}).json()
        assert (found["00080056"]["Value"], found["00201208"]["Value"]) == (["UNAVAILABLE"], [2])
        assert client.get(f"/dicom-web/studies/{STUDY}").status_code == 404
    assert [one.stays for one in of(gallery).chosen([STUDY], 0)] == [pruning.NOTHING]


def test_what_comes_later_makes_the_next_version_of_the_whole_study(gallery: Gallery) -> None:
    gallery.keep(picture(1), picture(2))
    of(gallery).prune(STUDY, "an", "thử")
    gallery.keep(picture(3))
    with gallery.client() as client:
        (found,) = client.post(SEARCH, data={"StudyInstanceUID": STUDY}).json()
        assert (found["00201208"]["Value"], found["00080056"]["Value"]) == ([3], ["UNAVAILABLE"])
        assert len(parts(client.get(f"/dicom-web/studies/{STUDY}"))) == 1
        ids = gallery.keep(picture(1), picture(2))  # the same again: kept again
        assert all(gallery.file(one).exists() for one in ids)
        (found,) = client.post(SEARCH, data={"StudyInstanceUID": STUDY}).json()
        assert (found["00201208"]["Value"], found["00080056"]["Value"]) == ([3], ["ONLINE"])
        assert len(parts(client.get(f"/dicom-web/studies/{STUDY}"))) == 3
    row = gallery.store.read_now(lambda c: images.get_study(c, STUDY))
    assert row is not None
    assert row.due_at is None


def test_studies_are_chosen_by_age(gallery: Gallery) -> None:
    gallery.keep(picture(1))
    gallery.clock.forward(10 * DAY)
    gallery.keep(picture(1, "1.2.40.2", AccessionNumber="CD2"))
    old = gallery.clock.now() - 5 * DAY * SECOND
    assert [one.uid for one in of(gallery).chosen((), old)] == [STUDY]
    of(gallery).prune(STUDY, "an", "quá hạn")
    assert list(of(gallery).chosen((), old)) == []
    assert [one.uid for one in of(gallery).chosen((), gallery.clock.now() + SECOND)] == ["1.2.40.2"]


def test_what_arrives_or_is_not_in_the_record_stays(gallery: Gallery) -> None:
    assert [one.stays for one in of(gallery).chosen(["1.2.3"], 0)] == [pruning.UNKNOWN]
    (object_id,) = gallery.take(picture(1))
    assert of(gallery).prune(STUDY, "an", "thử").stays == pruning.ARRIVING
    gallery.settle()
    for state, stays in (
        ("error", pruning.NOT_IN_RECORD),
        ("held", pruning.NOT_IN_RECORD),
        ("received", pruning.NOT_IN_RECORD),
    ):
        gallery.store.write_now(lambda c, state=state: c.execute(update(message).values(state=state)))  # type: ignore[misc]
        assert of(gallery).prune(STUDY, "an", "thử").stays == stays
    assert gallery.file(object_id).exists()
    assert gallery.actions("prune") == []


def test_what_a_paper_or_a_delivery_still_needs_stays(gallery: Gallery) -> None:
    """Also one of an earlier version of the study."""
    (object_id,) = gallery.keep(picture(1))
    add_paper(gallery)
    gallery.keep(picture(2))
    for state in sorted(states.states(states.DOCUMENT) - {"signed", "closed", "unchanged", "returned", "superseded"}):
        gallery.store.write_now(lambda c, state=state: c.execute(update(document).values(state=state)))  # type: ignore[misc]
        assert of(gallery).prune(STUDY, "an", "thử").stays == pruning.PAPER, state
    gallery.store.write_now(lambda c: c.execute(update(document).values(state="signed")))
    for state in sorted(states.states(states.DELIVERY) - {"accepted", "closed", "withheld"}):
        gallery.store.write_now(lambda c, state=state: c.execute(update(delivery).values(state=state)))  # type: ignore[misc]
        assert of(gallery).prune(STUDY, "an", "thử").stays == pruning.DELIVERY, state
    assert gallery.file(object_id).exists()
    gallery.store.write_now(lambda c: c.execute(update(delivery).values(state="accepted")))
    assert of(gallery).prune(STUDY, "an", "thử").stays == ""
    assert not gallery.file(object_id).exists()


def add_paper(gallery: Gallery) -> None:
    """Let the study's message have made a paper, and a delivery of it."""
    row = gallery.store.read_now(lambda c: images.get_study(c, STUDY))
    assert row is not None
    paper = {
        "id": "d1", "message_id": row.message_id, "paper": "imaging_report", "subject": "s", "patient_id": "p", "version": 1,
        "state": "due", "due_at": 0, "event_at": 0, "deadline_at": 0, "channel": "his", "order_key": b"0" * 16,
    }  # fmt: skip
    leaves = {
        "id": "v1", "document_id": "d1", "destination": "hub", "state": "pending", "due_at": 0, "created_at": 0, "basis": "b",
        "order_key": b"0" * 16,
    }  # fmt: skip

    def unit(connection: Connection) -> None:
        connection.execute(document.insert().values(**paper))
        connection.execute(delivery.insert().values(**leaves))

    gallery.store.write_now(unit)


def test_what_was_interrupted_is_ended_by_the_next_run(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = gallery.keep(picture(1), picture(2))
    remove = Objects.remove

    def breaks(self: Objects, object_id: str) -> None:
        if object_id == ids[1]:
            raise ObjectStoreAway(detail="disk")
        remove(self, object_id)

    monkeypatch.setattr(Objects, "remove", breaks)
    with pytest.raises(ObjectStoreAway):
        of(gallery).prune(STUDY, "an", "thử")
    assert gallery.actions("prune") == [("an", STUDY, "2 files; thử")]
    monkeypatch.undo()
    with gallery.client() as client:
        assert client.get(f"/dicom-web/studies/{STUDY}").status_code == 404  # given up already
    assert of(gallery).finish() == 2
    assert not any(gallery.file(one).exists() for one in ids)


def test_the_command_shows_first_and_wants_a_name_and_a_reason(tmp_path: Path, clock: HandClock) -> None:
    gallery = Gallery(tmp_path, clock)
    try:
        (object_id,) = gallery.keep(picture(1))
        config = str(tmp_path / "site")
        run = ("images", "prune", "--config", config)
        assert cli(*run).returncode == 2
        assert cli(*run, "--older-than", "lâu").returncode == 2
        assert cli(*run, "--study", STUDY, "--yes").returncode != 0
        shown = cli(*run, "--older-than", "1d")
        assert (shown.returncode, gallery.file(object_id).exists()) == (0, True)
        assert "Chưa gỡ gì" in shown.stdout
        assert cli(*run, "--study", "1.2.3", "--study", STUDY).returncode == 1
        told = cli_json(*run, "--study", STUDY, "-r", "rút đồng ý", "--yes")
        assert (told["done"], told["removed"], told["studies"][0]["removed"]) == (True, 1, True)
        assert not gallery.file(object_id).exists()
        assert gallery.actions("prune")[0][1:] == (STUDY, "1 files; rút đồng ý")
        (row,) = cli_json("images", "--config", config)
        assert row["pruned_at"] is not None
    finally:
        gallery.store.close()
