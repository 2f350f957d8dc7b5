"""A PACS sends a study: it joins the record of its patient, its report becomes a paper, and what comes late makes version 2."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from copy import deepcopy
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest

from conformance.sandbox.pacs import Pacs
from conformance.scenarios.event import Event
from conformance.scenarios.hospital_day import hospital_day
from conformance.scenarios.pictures import Study, pictures
from conformance.scenarios.player import play
from gateway.configuration import load
from gateway.records import resources
from gateway.store import documents
from gateway.store.engine import Store, open_store
from mappings.outcome import Resource
from tests.integration.gateway.gallery import parts
from tests.servers import wait_until
from tests.site import NodeProcess, cli, cli_json, running_node, write_site

CHANNEL = """\
name = "pacs"
source = { kind = "dicom", listen = "127.0.0.1:0", ae_title = "LIENTHONG", callers = ["PACS"], tls = "none", quiet = "1s" }
accept = ["DICOM"]
produce = ["imaging_report"]
"""

BASE = "https://cong.benhvien.vn:8443/dicom-web"


class Hospital:
    def __init__(self, config: Path, node: NodeProcess) -> None:
        self.config, self.node = config, node
        self.plan = load(config)
        self.store: Store = open_store(self.plan.store_url)

    def send(self, *datasets: Any) -> dict[str, int]:
        with Pacs("PACS") as pacs:
            return dict(pacs.send(self.node.address("pacs"), "LIENTHONG", datasets).statuses)

    def studies(self) -> dict[str, dict[str, Any]]:
        return {one["study"]: one for one in cli_json("images", "--config", str(self.config))}

    def settled(self, uid: str, version: int = 1) -> dict[str, Any]:
        """Wait until a version of a study was told and mapped, or went to the error queue."""

        def done() -> bool:
            one = self.studies().get(uid, {})
            return one.get("version") == version and one["state"] in ("mapped", "error")

        wait_until(done, 40)
        return self.studies()[uid]

    def record(self, number: str) -> list[Resource]:
        (patient,) = cli_json("persons", "--number", number, "--config", str(self.config))
        keyring = self.plan.keyring
        return self.store.read_now(lambda c: resources.record(c, keyring, patient["id"]))

    def document(self, document_id: str) -> list[Resource]:
        """Give the resources of a paper's FHIR document."""
        (row,) = self.store.read_now(lambda c: documents.renditions(c, document_id, "fhir"))
        whole = json.loads(self.plan.keyring.open(row.body, f"{document_id}/fhir"))
        return [one["resource"] for one in whole["entry"]]

    def papers(self) -> list[Any]:
        return self.store.read_now(lambda c: documents.listing(c, papers=["imaging_report"], states=("signed",)))[::-1]


@pytest.fixture(scope="module")
def day() -> tuple[list[Event], list[Study]]:
    whole = hospital_day(encounters=25)
    return [one for one in whole.events if one.expect == "accepted"], list(pictures(whole, 3))


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    config = write_site(tmp_path / "site", produce=(), signers=f'\n[http]\ndicomweb_base = "{BASE}"\n')
    (config / "channels" / "pacs.toml").write_text(CHANNEL, encoding="utf-8")
    with running_node(config) as node:
        found = Hospital(config, node)
        try:
            yield found
        finally:
            found.store.close()


def told(hospital: Hospital, events: list[Event], study: Study) -> None:
    """Let the HIS tell what it knows of a study's patient up to the order."""
    own = [one for one in events if study.patient in one.patients]
    address = hospital.node.address("his")
    asyncio.run(play(own, {"his": address, "lis": address}))


def test_a_study_joins_the_record_and_a_late_object_makes_version_two(
    hospital: Hospital, day: tuple[list[Event], list[Study]]
) -> None:
    events, studies = day
    study = studies[0]
    told(hospital, events, study)
    assert hospital.send(*study.instances) == {"0000": len(study.instances)}
    uid = str(study.instances[0].StudyInstanceUID)
    assert hospital.settled(uid)["state"] == "mapped"
    record = hospital.record(study.patient)
    (imaging,) = [one for one in record if one["resourceType"] == "ImagingStudy"]
    assert imaging["numberOfInstances"] == len(study.instances)
    (order,) = [one for one in record if one["resourceType"] == "ServiceRequest" and _is(one, imaging)]
    assert order["code"]  # what the HIS ordered, not a second order
    where = {f"Endpoint/{one['id']}": one for one in record if one["resourceType"] == "Endpoint"}
    assert [where[one["reference"]]["address"] for one in imaging["endpoint"]] == [BASE]
    wait_until(lambda: bool(hospital.papers()), 30)
    first = hospital.papers()
    assert [one.version for one in first] == [1] * len(first)
    document = hospital.document(first[0].id)
    assert BASE in [one["address"] for one in document if one["resourceType"] == "Endpoint"]
    assert hospital.send(study.late) == {"0000": 1}
    assert hospital.settled(uid, 2)["state"] == "mapped"
    (imaging,) = [one for one in hospital.record(study.patient) if one["resourceType"] == "ImagingStudy"]
    assert imaging["numberOfInstances"] == len(study.instances) + 1
    wait_until(lambda: len(hospital.papers()) == 2 * len(first), 30)
    assert hospital.papers()[-1].version == 2


VIEWER = """
[http]
listen = "127.0.0.1:0"
tls = "none"

[[api.client]]
name = "viewer"
token = "secret:viewer"
may = ["images"]
basis = "treatment"
"""


def test_what_a_pacs_sent_is_read_back_from_a_node(tmp_path: Path, day: tuple[list[Event], list[Study]]) -> None:
    study = day[1][0]
    config = write_site(tmp_path / "site", produce=(), signers=VIEWER)
    (config / "secrets" / "viewer").write_text("token-of-the-viewer-0001")
    (config / "channels" / "pacs.toml").write_text(CHANNEL, encoding="utf-8")
    with running_node(config) as node:
        hospital = Hospital(config, node)
        try:
            hospital.send(*study.instances)
            hospital.settled(str(study.study_uid))
        finally:
            hospital.store.close()
        base, headers = f"http://{node.listening['http']}", {"Authorization": "Bearer token-of-the-viewer-0001"}
        with httpx.Client(base_url=base, headers=headers, trust_env=False, timeout=30) as client:
            (found,) = client.post("/dicom-web/studies/_search", data={"AccessionNumber": study.accession}).json()
            assert found["00100020"]["Value"] == [study.patient]
            sent = {str(one.SOPInstanceUID): one for one in study.instances}
            got = [pydicom.dcmread(BytesIO(data)) for _, data in parts(client.get(found["00081190"]["Value"][0]))]
            assert {str(one.SOPInstanceUID) for one in got} == set(sent)
            assert all(one == sent[str(one.SOPInstanceUID)] for one in got)
    assert study.patient not in (config / "node.log").read_text()


def _is(order: Resource, imaging: Resource) -> bool:
    return f"ServiceRequest/{order['id']}" in {one.get("reference") for one in imaging.get("basedOn", [])}


def test_a_study_of_somebody_else_stops_and_is_moved_to_the_right_person(
    hospital: Hospital, day: tuple[list[Event], list[Study]]
) -> None:
    events, studies = day
    study, other = studies[0], studies[1]
    told(hospital, events, study)
    told(hospital, events, other)
    wrong = deepcopy(study.instances[0])
    wrong.PatientName, wrong.PatientBirthDate, wrong.PatientSex = "KHAC^HAN^NGUOI", "19330101", "O"
    assert hospital.send(wrong) == {"0000": 1}
    uid = str(wrong.StudyInstanceUID)
    stopped = hospital.settled(uid)
    assert (stopped["state"], stopped["fault"]) == ("error", "LT3370")
    assert [one for one in hospital.record(study.patient) if one["resourceType"] == "ImagingStudy"] == []
    assign = ("images", "assign", uid, "--patient", other.patient, "--config", str(hospital.config))
    assert cli(*assign, "-r", " ").returncode != 0
    assert cli(*assign, "-r", "gõ nhầm mã trên máy CT").returncode == 0
    assert hospital.settled(uid, 2)["state"] == "mapped"
    (imaging,) = [one for one in hospital.record(other.patient) if one["resourceType"] == "ImagingStudy"]
    assert imaging["identifier"][0]["value"].endswith(uid)
    names = [
        one["name"][0].get("text", "") for one in hospital.record(other.patient) if one["resourceType"] == "Patient"
    ]
    assert "KHAC" not in " ".join(names).upper()
