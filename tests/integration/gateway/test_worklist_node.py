"""The HIS orders a picture: devices see it on their worklist until it is cancelled, or until its study comes."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from conformance.sandbox.pacs import Pacs
from conformance.scenarios.event import Event
from conformance.scenarios.hospital_day import hospital_day
from conformance.scenarios.pictures import Study, pictures
from conformance.scenarios.player import play
from connectors.sources._dicom_contexts import STEP
from gateway.configuration import load
from gateway.records import resources
from gateway.store.engine import open_store
from mappings.outcome import Resource
from tests.dicom_peers import tool
from tests.integration.connectors.test_dicom_steps import begin, device, end
from tests.servers import wait_until
from tests.site import NodeProcess, cli_json, running_node, write_site

CHANNEL = """\
name = "pacs"
source = { kind = "dicom", listen = "127.0.0.1:0", ae_title = "LIENTHONG", callers = ["PACS", "CT1", "US1"], tls = "none", quiet = "1s", worklist = true, worklist_overdue = "36500d", stations = { CT1 = ["CT", "CT-*"], US1 = ["US", "SA-*"] } }
accept = ["DICOM"]
"""  # noqa: E501


class House:
    def __init__(self, config: Path, node: NodeProcess) -> None:
        self.config, self.node = config, node
        self._sent = 0

    def his(self, *events: Event) -> None:
        address = self.node.address("his")
        played = asyncio.run(play(events, {"his": address, "lis": address}))
        assert [one.code for one in played] == [one.event.ack for one in played]

    def again(self, event: Event, **changes: tuple[str, str]) -> None:
        """Send a message as a new one, with texts of it replaced."""
        self._sent += 1
        raw = event.raw.decode().replace(event.control_id, f"W{self._sent}")
        for old, new in changes.values():
            assert old in raw
            raw = raw.replace(old, new)
        self.his(replace(event, raw=raw.encode(), control_id=f"W{self._sent}"))

    def asks(self, title: str, *keys: str) -> list[Dataset]:
        """Ask for the worklist as DCMTK does, and give what came."""
        host, port = self.node.address("pacs")
        shown = ("PatientName", "PatientID", "AccessionNumber", "StudyInstanceUID", "ReferencedStudySequence")
        step = ("ScheduledStationAETitle", "Modality", "ScheduledProcedureStepStartDate")
        wanted = [*shown, *(f"ScheduledProcedureStepSequence[0].{one}" for one in step), *keys]
        with tempfile.TemporaryDirectory() as folder:
            named = [argument for key in wanted for argument in ("-k", key)]
            told = tool(
                "findscu", "-v", "-W", "-X", "-od", folder, "-aet", title, "-aec", "LIENTHONG", *named, host, str(port)
            )
            assert told.returncode == 0, told.stderr
            assert "Received Final Find Response (Success)" in told.stderr, told.stderr
            return [pydicom.dcmread(path, force=True) for path in sorted(Path(folder).iterdir())]

    def numbers(self, title: str, *keys: str) -> set[str]:
        return {one.AccessionNumber for one in self.asks(title, *keys)}

    def sends(self, *datasets: Any) -> None:
        with Pacs("PACS") as pacs:
            told = dict(pacs.send(self.node.address("pacs"), "LIENTHONG", datasets).statuses)
        assert told == {"0000": len(datasets)}

    def settled(self, uid: str) -> dict[str, Any]:
        def found() -> dict[str, Any]:
            told = cli_json("images", "--config", str(self.config))
            return next((one for one in told if one["study"] == uid), {})

        wait_until(lambda: found().get("state") in ("mapped", "error"), 40)
        return found()

    def record(self, number: str) -> list[Resource]:
        (patient,) = cli_json("persons", "--number", number, "--config", str(self.config))
        plan = load(self.config)
        store = open_store(plan.store_url)
        try:
            return store.read_now(lambda c: resources.record(c, plan.keyring, patient["id"]))
        finally:
            store.close()


@pytest.fixture(scope="module")
def day() -> tuple[list[Event], list[Study]]:
    whole = hospital_day(encounters=25)
    return [one for one in whole.events if one.expect == "accepted"], list(pictures(whole, 3))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    config = write_site(tmp_path / "site", produce=())
    (config / "channels" / "pacs.toml").write_text(CHANNEL, encoding="utf-8")
    with running_node(config) as node:
        yield House(config, node)


def told_before(events: list[Event], study: Study) -> list[Event]:
    """Give what the HIS says of a study's patient up to the order."""
    own = [one for one in events if study.patient in one.patients]
    return own[: own.index(study.order) + 1]


def test_an_order_is_on_the_list_until_it_is_cancelled(house: House, day: tuple[list[Event], list[Study]]) -> None:
    events, studies = day
    study = studies[0]
    house.his(*told_before(events, study))
    title = "CT1" if study.instances[0].Modality == "CT" else "US1"
    wait_until(lambda: house.numbers(title) == {study.accession}, 20)
    (entry,) = house.asks(title)
    step = entry.ScheduledProcedureStepSequence[0]
    assert entry.SpecificCharacterSet == "ISO_IR 192"
    assert entry.PatientID == study.patient
    assert str(entry.PatientName) == str(study.instances[0].PatientName)
    assert (step.Modality, step.ScheduledStationAETitle) == (study.instances[0].Modality, title)
    assert step.ScheduledProcedureStepStartDate == f"{study.order.at:%Y%m%d}"
    assert entry.StudyInstanceUID.is_valid
    own = f"ScheduledProcedureStepSequence[0].ScheduledStationAETitle={title}"
    assert house.numbers(title, own) == {study.accession}
    assert house.numbers(title, "ScheduledProcedureStepSequence[0].Modality=MG") == set()
    assert house.numbers(title, "ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate=20990101-") == set()
    family = str(entry.PatientName).split("^")[0]
    assert house.numbers(title, f"PatientName={family.upper()}*") == {study.accession}
    assert house.numbers(title, f"PatientID={study.patient}") == {study.accession}
    assert house.numbers(title, "PatientID=BN999999") == set()
    house.again(study.order, control=("ORC|NW|", "ORC|HD|"))
    wait_until(lambda: house.numbers(title) == set(), 20)
    house.again(study.order, control=("ORC|NW|", "ORC|RL|"))
    wait_until(lambda: house.numbers(title) == {study.accession}, 20)
    house.again(study.order, control=("ORC|NW|", "ORC|CA|"))
    wait_until(lambda: house.numbers(title) == set(), 20)


def test_a_study_that_comes_takes_its_order_from_the_list(house: House, day: tuple[list[Event], list[Study]]) -> None:
    events, studies = day
    for study in studies[:2]:
        house.his(*told_before(events, study))
    accessions = {study.accession for study in studies[:2]}
    wait_until(lambda: house.numbers("PACS") == accessions, 20)
    (entry,) = [one for one in house.asks("PACS") if one.AccessionNumber == studies[0].accession]
    made = []
    for instance in studies[
        0
    ].instances:  # as a device makes them: with what the worklist told it, and no more of the order
        one = deepcopy(instance)
        for tag in ("PlacerOrderNumberImagingServiceRequest", "RequestAttributesSequence"):
            if tag in one:
                del one[tag]
        one.StudyInstanceUID, one.AccessionNumber = entry.StudyInstanceUID, entry.AccessionNumber
        one.PatientID, one.PatientName = entry.PatientID, entry.PatientName
        made.append(one)
    house.sends(*made)
    assert house.settled(str(entry.StudyInstanceUID))["state"] == "mapped"
    assert house.numbers("PACS") == {studies[1].accession}
    record = house.record(studies[0].patient)
    (imaging,) = [one for one in record if one["resourceType"] == "ImagingStudy"]
    (based_on,) = [one["reference"] for one in imaging["basedOn"]]
    (order,) = [one for one in record if f"ServiceRequest/{one['id']}" == based_on]
    assert order["code"]["coding"]  # what the HIS ordered, not a second order of the same accession number
    house.again(studies[0].order, control=("ORC|NW|", "ORC|XO|"))
    house.again(studies[1].order, control=("ORC|NW|", "ORC|CA|"))
    wait_until(lambda: house.numbers("PACS") == set(), 20)


def test_a_step_that_ends_makes_its_study_whole(tmp_path: Path, day: tuple[list[Event], list[Study]]) -> None:
    _, studies = day
    study = studies[0]
    uid = str(study.instances[0].StudyInstanceUID)
    config = write_site(tmp_path / "site", produce=())
    patiently = CHANNEL.replace('quiet = "1s"', 'quiet = "1h"')  # nobody waits for that
    (config / "channels" / "pacs.toml").write_text(patiently, encoding="utf-8")
    with running_node(config) as node:
        house = House(config, node)
        with device(node.address("pacs")) as modality:
            assert modality.send_n_create(begin(uid), STEP, "1.2.3.9")[0].Status == 0
            house.sends(*study.instances)
            objects = [str(one.SOPInstanceUID) for one in study.instances]
            assert modality.send_n_set(end(*objects), STEP, "1.2.3.9")[0].Status == 0
            assert modality.send_n_set(end(*objects, status="DISCONTINUED"), STEP, "1.2.3.9")[0].Status == 0x0110
            assert modality.send_n_set(end(), STEP, "1.2.3.10")[0].Status == 0x0112
            assert modality.send_n_create(begin(uid, Modality="MR"), STEP, "1.2.3.9")[0].Status == 0x0111
            assert (
                modality.send_n_create(begin(uid, PerformedProcedureStepStatus="DONE"), STEP, "1")[0].Status == 0x0106
            )
        assert house.settled(uid)["objects"] == len(study.instances)
