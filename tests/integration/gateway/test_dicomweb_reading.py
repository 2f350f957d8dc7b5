"""Pictures are read back over DICOMweb: found by whose they are now, bit-identical, withheld where the law wants it, and told
in the log of actions before they leave."""

from __future__ import annotations

import hashlib
import json
import logging
import socket
from collections.abc import Iterator
from io import BytesIO
from itertools import repeat
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom import Dataset

from gateway import image_reading
from gateway.api import images as face
from gateway.api import streams
from gateway.store.objects import Objects
from tests.conftest import HandClock
from tests.integration.connectors.orthanc import orthanc
from tests.integration.gateway.desk import evn, message, pid, pv1
from tests.integration.gateway.gallery import PARTS, SEARCH, TOKENS, Gallery, parts, picture, program
from tests.servers import wait_until

STUDY = "/dicom-web/studies/1.2.40.1"
WITHHELD = "1.2.40.9"


@pytest.fixture
def gallery(tmp_path: Path, clock: HandClock) -> Iterator[Gallery]:
    made = Gallery(tmp_path, clock)
    yield made
    made.store.close()


@pytest.fixture
def open_gallery(tmp_path: Path, clock: HandClock) -> Iterator[Gallery]:
    """One whose GET form is allowed."""
    made = Gallery(tmp_path, clock, get=True)
    yield made
    made.store.close()


def found(client: httpx.Client, **asked: str) -> list[Dataset]:
    reply = client.post(SEARCH, data=asked)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/dicom+json"), reply.text
    return [Dataset.from_json(one) for one in reply.json()]


def uids(client: httpx.Client, **asked: str) -> list[str]:
    return [str(one.StudyInstanceUID) for one in found(client, **asked)]


# ---- queries ----


def test_a_study_is_found_by_patient_order_and_uid(gallery: Gallery) -> None:
    gallery.keep(picture(1), picture(2), picture(1, series=2, Modality="SR"))
    gallery.keep(picture(1, "1.2.40.2", AccessionNumber="CD2"))
    gallery.keep(picture(1, "1.2.40.3", PatientID="BN2", PatientName="TRAN^BINH^VAN", AccessionNumber="CD3"))
    with gallery.client() as client:
        one = found(client, AccessionNumber="CD1")[0]
        assert (one.PatientID, str(one.PatientName), one.PatientBirthDate) == ("BN1", "NGUYEN^HOA^THI", "19850214")
        assert (one.NumberOfStudyRelatedSeries, one.NumberOfStudyRelatedInstances) == (2, 3)
        assert sorted(one.ModalitiesInStudy) == ["CT", "SR"]
        assert client.get(one.RetrieveURL).status_code == 200
        assert uids(client, PatientID="BN1") == ["1.2.40.2", "1.2.40.1"]  # the newest first
        assert uids(client, **{"00100020": "BN1", "00080061": "SR"}) == ["1.2.40.1"]
        assert uids(client, PatientID="BN1", AccessionNumber="CD3") == []
        assert uids(client, StudyInstanceUID="1.2.40.3,1.2.40.2,1.2.40.8") == ["1.2.40.3", "1.2.40.2"]
        assert uids(client, PatientID="BN3") == []
        page = client.post(SEARCH, data={"PatientID": "BN1", "limit": "1"})
        assert ([one["0020000D"]["Value"] for one in page.json()], page.headers["warning"][:13]) == (
            [["1.2.40.2"]],
            "299 lienthong",
        )
        assert uids(client, PatientID="BN1", limit="1", offset="1") == ["1.2.40.1"]
    assert {target for _, target, _ in gallery.actions("disclose")} == {"1.2.40.1", "1.2.40.2", "1.2.40.3"}
    assert {who for who, _, _ in gallery.actions("disclose")} == {"viewer (api)"}


ONE: dict[str, Any] = {
    "StudyDate": "20260920",
    "StudyTime": "083000",
    "StudyID": "S77",
    "ReferringPhysicianName": "LE^NAM^VAN",
}
OTHER: dict[str, Any] = {
    "StudyDate": "20260921",
    "StudyTime": "150000",
    "StudyID": "S78",
    "ReferringPhysicianName": "DO^MAI",
}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"StudyDate": "20260920"}, ["1"]),
        ({"StudyDate": "20260920-20260921"}, ["2", "1"]),
        ({"StudyDate": "20260921-"}, ["2"]),
        ({"StudyDate": "-20260920"}, ["1"]),
        ({"00080020": "20260922"}, []),
        ({"StudyDate": "20260920-", "StudyTime": "0800-0900"}, ["1"]),
        ({"StudyDate": "20260920-", "ModalitiesInStudy": "MR"}, []),
        ({"StudyDate": "20260920-", "ModalitiesInStudy": "MR,CT"}, ["2", "1"]),
        ({"ReferringPhysicianName": "LE*"}, ["1"]),
        ({"PatientName": "nguyễn^hoa^thị"}, ["1"]),
        ({"PatientName": "TRAN*"}, ["2"]),
        ({"PatientName": "TR?N^BINH^VAN"}, ["2"]),
        ({"PatientID": "BN?"}, ["2", "1"]),
        ({"PatientID": "bn1"}, ["1"]),
        ({"AccessionNumber": "CD2*"}, ["2"]),
        ({"StudyID": "S78"}, ["2"]),
        ({"StudyInstanceUID": "1.2.40.1,1.2.40.2", "StudyID": "S77"}, ["1"]),
        ({"PatientID": "BN1", "StudyDate": "20260921"}, []),
    ],
)
def test_studies_are_found_by_every_key_that_the_standard_requires(
    two: Gallery, asked: dict[str, str], expected: list[str]
) -> None:
    with two.client() as client:
        assert [one.rpartition(".")[2] for one in uids(client, **asked)] == expected


@pytest.fixture
def two(gallery: Gallery) -> Gallery:
    gallery.keep(picture(1, **ONE))
    of_other: dict[str, Any] = {"PatientID": "BN2", "PatientName": "TRAN^BINH^VAN", "AccessionNumber": "CD22"}
    gallery.keep(picture(1, "1.2.40.2", **of_other, **OTHER))
    return gallery


def test_a_search_that_would_look_at_too_much_is_refused(two: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """By day only what came since is looked at, because no study comes before its day."""
    monkeypatch.setattr(image_reading, "_CANDIDATES", 1)
    with two.client() as client:
        reply = client.post(SEARCH, data={"PatientName": "TRAN*"})
        assert (reply.status_code, reply.json()["fault"]["code"]) == (413, "LT7020")
        assert uids(client, PatientID="BN2", StudyDate="20260921") == ["1.2.40.2"]
        assert uids(client, StudyDate="20991231-") == []


def test_who_is_withheld_is_noted_only_where_the_question_fits(gallery: Gallery) -> None:
    gallery.keep(picture(1, **ONE))
    gallery.keep(picture(1, WITHHELD, PatientID="BN9", PatientName="LY^AN", AccessionNumber="CD9", **OTHER))
    gallery.desk.send(message("ADT^A01", "1", evn(), pid("BN9", "Lý^An"), pv1("V9"), "DG1|1||B20^HIV^I10"))
    with gallery.client() as client:
        assert uids(client, StudyDate="20260920") == ["1.2.40.1"]
        assert gallery.actions("withhold") == []
        assert uids(client, StudyDate="20260921") == []
        assert [target for _, target, _ in gallery.actions("withhold")] == [WITHHELD]
    with gallery.client("clinic") as client:
        assert uids(client, StudyDate="20260921") == [WITHHELD]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("series?SeriesNumber=2", ["2"]),
        ("series?PerformedProcedureStepStartDate=20261120-&PerformedProcedureStepStartTime=08-09", ["1"]),
        ("series?RequestAttributesSequence.ScheduledProcedureStepID=STEP1", ["1"]),
        ("series?00400275.00401001=PROC*", ["1"]),
        ("series?RequestAttributesSequence.RequestedProcedureID=other", []),
        ("series?SeriesInstanceUID=1.2.40.1.2,1.2.40.1.1&Modality=CT,SR", ["1", "2"]),
        ("instances?SeriesNumber=2&InstanceNumber=1", ["2.1"]),
        ("instances?SOPClassUID=1.2.840.10008.5.1.4.1.1.2&InstanceNumber=2", ["1.2"]),
        ("instances?SOPInstanceUID=1.2.40.1.1.2", ["1.2"]),
        ("series/1.2.40.1.1/instances?InstanceNumber=1", ["1.1"]),
    ],
)
def test_series_and_objects_are_found_by_every_key_that_the_standard_requires(
    gallery: Gallery, asked: str, expected: list[str]
) -> None:
    request = Dataset()
    request.ScheduledProcedureStepID, request.RequestedProcedureID = "STEP1", "PROC1"
    step: dict[str, Any] = {"PerformedProcedureStepStartDate": "20261120", "PerformedProcedureStepStartTime": "081500"}
    first = {**step, "RequestAttributesSequence": [request]}
    gallery.keep(picture(1, **first), picture(2, **first), picture(1, series=2))
    with gallery.client() as client:
        reply = client.get(f"{STUDY}/{asked}")
        assert reply.status_code == 200, reply.text
        tag = "00080018" if "instances" in asked else "0020000E"
        assert [one[tag]["Value"][0].removeprefix("1.2.40.1.") for one in reply.json()] == expected
        if asked.startswith("instances"):
            assert all("00080060" in one for one in reply.json())  # what is told of a series, too


def test_series_and_objects_of_a_study(gallery: Gallery) -> None:
    gallery.keep(picture(2), picture(1), picture(1, series=2, Modality="SR"))
    with gallery.client() as client:
        series = [Dataset.from_json(one) for one in client.get(f"{STUDY}/series").json()]
        assert [(one.SeriesInstanceUID, one.NumberOfSeriesRelatedInstances) for one in series] == [
            ("1.2.40.1.1", 2),
            ("1.2.40.1.2", 1),
        ]
        assert [one["0020000E"]["Value"] for one in client.get(f"{STUDY}/series?Modality=SR").json()] == [
            ["1.2.40.1.2"]
        ]
        reply = client.get(f"{STUDY}/series/1.2.40.1.1/instances?includefield=PatientID&includefield=00080070")
        instances = [Dataset.from_json(one) for one in reply.json()]
        assert [one.SOPInstanceUID for one in instances] == ["1.2.40.1.1.1", "1.2.40.1.1.2"]
        assert (instances[0].Rows, instances[0].PatientID, instances[0].Manufacturer) == (
            128,
            "BN1",
            "GE MEDICAL SYSTEMS",
        )
        assert len(client.get(f"{STUDY}/instances").json()) == 3
        assert len(client.get(f"{STUDY}/instances?limit=2").json()) == 2
        assert client.get("/dicom-web/studies/1.2.3/series").status_code == 404
        everything = Dataset.from_json(client.get(f"{STUDY}/instances?includefield=all&limit=1").json()[0])
        assert everything.KVP == "120.0" or float(everything.KVP) == 120
        assert "PixelData" not in everything


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"ModalitiesInStudy": "CT"},
        {"PatientID": ""},
        {"StudyTime": "0800-"},
        {"PatientID": "*"},
        {"StudyInstanceUID": "1.2.40.*"},
        {"StudyDate": "20261332"},
        {"StudyDate": "hôm qua"},
        {"StudyDate": "2026????"},
        {"PatientID": "BN1", "StudyTime": "2500"},
        {"PatientIdd": "BN1", "StudyDate": "20040119"},
        {"001000200": "BN1", "StudyDate": "20040119"},
        {"PatientID": "BN1", "includefield": "StudyDat"},
        {"PatientID": "BN1", "fuzzymatching": "perhaps"},
        {"PatientID": "BN1\\BN2"},
        {"StudyInstanceUID": "../../etc/passwd"},
        {"PatientID": "BN1", "limit": "-1"},
        {"PatientID": "BN1", "offset": "9999999"},
        {"PatientID": "BN1", "limit": "²"},
        {"PatientID": "x" * 65},
        {f"x{n}": "" for n in range(70)} | {"PatientID": "BN1"},
    ],
)
def test_who_asks_for_everything_or_nonsense_is_refused(gallery: Gallery, asked: dict[str, str]) -> None:
    gallery.keep(picture(1))
    with gallery.client() as client:
        reply = client.post(SEARCH, data=asked or {"limit": "5"})
        assert (reply.status_code, reply.json()["fault"]["code"]) == (400, "LT7004")
        assert "NGUYEN" not in reply.text
    assert gallery.actions("disclose") == []


def test_what_is_not_supported_is_warned_of(gallery: Gallery) -> None:
    gallery.keep(picture(1))
    with gallery.client() as client:
        asked = {"PatientID": "BN1", "PatientBirthDate": "20200101-", "nonsense": "1", "fuzzymatching": "true"}
        reply = client.post(SEARCH, data=asked)
        assert len(reply.json()) == 1
        warnings = reply.headers["warning"]
        assert all(one in warnings for one in ("PatientBirthDate", "a parameter", "fuzzymatching"))
        assert "nonsense" not in warnings


def test_numbers_stand_in_addresses_only_where_the_hospital_wants_it(
    open_gallery: Gallery, tmp_path: Path, clock: HandClock
) -> None:
    closed = Gallery(tmp_path / "closed", clock)
    try:
        with closed.client() as client:
            reply = client.get("/dicom-web/studies", params={"PatientID": "BN1"})
            assert (reply.status_code, reply.json()["fault"]["code"]) == (403, "LT7016")
    finally:
        closed.store.close()
    open_gallery.keep(picture(1))
    with open_gallery.client() as client:
        reply = client.get("/dicom-web/studies", params={"PatientID": "BN1"})
        assert [one["0020000D"]["Value"] for one in reply.json()] == [["1.2.40.1"]]
        assert client.get("/dicom-web/studies").status_code == 400


def test_nothing_that_was_asked_is_logged(open_gallery: Gallery, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    open_gallery.keep(picture(1, PatientID="SECRET-7"))
    with open_gallery.client() as client:
        caplog.clear()
        assert len(client.post(SEARCH, data={"PatientID": "SECRET-7"}).json()) == 1
        assert len(client.get("/dicom-web/studies", params={"PatientID": "SECRET-7"}).json()) == 1
        assert client.post(SEARCH, data={"PatientID": "SECRET-7\\x"}).status_code == 400
        assert len(client.post(SEARCH, data={"PatientID": "SECRET-*"}).json()) == 1
    ours = [one.getMessage() for one in caplog.records if not one.name.startswith(("httpx", "httpcore"))]
    assert not [line for line in ours if "SECRET-7" in line]
    assert "SECRET-7" not in str(open_gallery.actions("disclose"))


# ---- objects ----

SYNTAXES = {
    "CT_small.dcm": "1.2.840.10008.1.2.1",
    "MR_small_implicit.dcm": "1.2.840.10008.1.2",
    "MR_small_bigendian.dcm": "1.2.840.10008.1.2.2",
    "MR_small_RLE.dcm": "1.2.840.10008.1.2.5",
    "JPEG2000.dcm": "1.2.840.10008.1.2.4.91",
    "image_dfl.dcm": "1.2.840.10008.1.2.1.99",
}


def test_objects_of_every_syntax_come_back_bit_for_bit(gallery: Gallery) -> None:
    sent = [picture(n, file=file) for n, file in enumerate(SYNTAXES, 1)]
    gallery.keep(*sent)
    with gallery.client() as client:
        reply = client.get(STUDY, headers={"Accept": PARTS})
        assert reply.status_code == 200
        got = parts(reply)
        assert [data for _, data in got] == sent
        assert [kind.partition("transfer-syntax=")[2] for kind, _ in got] == list(SYNTAXES.values())
        read = [pydicom.dcmread(BytesIO(data)) for _, data in got]
        assert {one.StudyInstanceUID for one in read} == {"1.2.40.1"}
        one = client.get(f"{STUDY}/series/1.2.40.1.1/instances/1.2.40.1.1.5", headers={"Accept": PARTS})
        assert parts(one)[0][1] == sent[4]
        assert one.headers["etag"] == f'"{hashlib.sha256(sent[4]).hexdigest()}"'
        assert len(parts(client.get(f"{STUDY}/series/1.2.40.1.1"))) == 6
    assert gallery.actions("disclose") == [
        ("viewer (api)", "1.2.40.1", "6 objects (treatment)"),
        ("viewer (api)", "1.2.40.1", "1 objects (treatment)"),
        ("viewer (api)", "1.2.40.1", "6 objects (treatment)"),
    ]


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("multipart/related", 200),
        ('multipart/related; type="application/dicom"', 200),
        ('image/jpeg, multipart/related; type=application/dicom; transfer-syntax="1.2.840.10008.1.2.1"', 200),
        ('multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.70', 406),
        ('multipart/related; type="image/jpeg"', 406),
        ("application/dicom", 406),
        ("application/zip", 406),
        ("*/*;q=0", 406),
    ],
)
def test_the_form_is_the_one_that_is_stored_or_none(gallery: Gallery, accept: str, status: int) -> None:
    gallery.keep(picture(1))
    with gallery.client() as client:
        assert client.get(STUDY, headers={"Accept": accept}).status_code == status
        assert client.get(STUDY, params={"accept": accept}).status_code == status
    assert len(gallery.actions("disclose")) == (2 if status == 200 else 0)


def test_what_is_not_offered_is_said_in_words(gallery: Gallery) -> None:
    gallery.keep(picture(1))
    one = f"{STUDY}/series/1.2.40.1.1/instances/1.2.40.1.1.1"
    with gallery.client() as client:
        for path in (
            f"{STUDY}/rendered",
            f"{one}/rendered",
            f"{one}/frames/1",
            f"{one}/bulkdata/x",
            f"{STUDY}/thumbnail",
        ):
            reply = client.get(path)
            assert (reply.status_code, reply.json()["fault"]["code"]) == (406, "LT7017")
        assert client.get(f"{STUDY}/metadata", headers={"Accept": "application/dicom+xml"}).status_code == 406
        assert client.get("/dicom-web/nothing").status_code == 404
        assert client.post("/dicom-web/studies", content=b"x").status_code == 405


def test_metadata_are_the_headers_without_bulk(gallery: Gallery) -> None:
    sent = [
        picture(1),
        picture(2, file="JPEG2000.dcm"),
        picture(3, PatientName="NGUYỄN^HÒA^THỊ", SpecificCharacterSet="ISO_IR 192"),
    ]
    gallery.keep(*sent)
    with gallery.client() as client:
        reply = client.get(f"{STUDY}/metadata")
        told = [Dataset.from_json(one) for one in reply.json()]
        assert "BulkDataURI" not in reply.text
        for data, one in zip(sent, told, strict=True):
            was = pydicom.dcmread(BytesIO(data))
            assert (one.SOPInstanceUID, one.Rows, one.PatientName) == (was.SOPInstanceUID, was.Rows, was.PatientName)
            assert one.get("SpecificCharacterSet") in (None, "ISO_IR 192")
            assert "PixelData" not in one
        path = f"{STUDY}/series/1.2.40.1.1/instances/1.2.40.1.1.2/metadata"
        (alone,) = client.get(path).json()
        assert alone == reply.json()[1]


def test_what_a_client_has_is_not_sent_again(gallery: Gallery) -> None:
    gallery.keep(picture(1), picture(2))
    with gallery.client() as client:
        for path in (STUDY, f"{STUDY}/series/1.2.40.1.1/instances/1.2.40.1.1.2", f"{STUDY}/metadata"):
            first = client.get(path)
            told = len(gallery.actions("disclose"))
            head = client.head(path)
            assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", first.headers["etag"])
            assert head.headers.get("content-length") == first.headers.get("content-length")
            again = client.get(path, headers={"If-None-Match": f'"x", W/{first.headers["etag"]}'})
            assert (again.status_code, again.content) == (304, b"")
            assert len(gallery.actions("disclose")) == told
        etag = client.head(STUDY).headers["etag"]
        gallery.keep(picture(3))
        assert client.get(STUDY, headers={"If-None-Match": etag}).status_code == 200


# ---- whose, and who may ----


def test_tokens_and_what_they_may(gallery: Gallery) -> None:
    gallery.keep(picture(1))
    with gallery.open() as address:
        paths = (
            STUDY,
            f"{STUDY}/metadata",
            f"{STUDY}/series",
            f"{STUDY}/instances",
            f"{STUDY}/rendered",
            "/dicom-web/x",
        )
        with httpx.Client(base_url=address, trust_env=False) as stranger, program(address, "portal") as portal:
            for path in paths:
                assert stranger.get(path).status_code == 401
                assert portal.get(path).status_code == 403
            assert stranger.post(SEARCH, data={"PatientID": "BN1"}).status_code == 401
            assert portal.post(SEARCH, data={"PatientID": "BN1"}).status_code == 403
            assert stranger.get("/dicom-web/studies?PatientID=BN1").status_code == 401
    assert gallery.actions("disclose") == []


@pytest.mark.parametrize(
    "path",
    [
        "/dicom-web/studies/..%2F..%2Fsecrets%2Fviewer",
        "/dicom-web/studies/%2e%2e",
        "/dicom-web/studies/1.2.40.1%00",
        "/dicom-web/studies/1.2.40.1'--",
        "/dicom-web/studies/" + "1." * 40 + "1",
        "/dicom-web/studies/１.2",
        f"{STUDY}/series/..%2f..%2fledger.db/instances/1.2",
        f"{STUDY}/series/1.2.40.1.1/instances/*",
        f"{STUDY}/series/1.2.40.2.1",
        f"{STUDY}/series/1.2.40.1.1/instances/1.2.40.1.1.9/metadata",
    ],
)
def test_paths_lead_nowhere_else(gallery: Gallery, path: str) -> None:
    gallery.keep(picture(1))
    with gallery.client() as client:
        assert client.get(path).status_code == 404
    assert gallery.actions("disclose") == []


def admitted(number: str, control_id: str, *more: str) -> bytes:
    return message("ADT^A01", control_id, evn(), pid(number), pv1("V1"), *more)


def test_a_person_on_a_closed_list_is_not_there_for_who_may_not_see_it(gallery: Gallery) -> None:
    gallery.desk.send(admitted("BN1", "1", "DG1|1||B20^HIV^ICD10|||F"))
    gallery.keep(picture(1, WITHHELD))
    study = f"/dicom-web/studies/{WITHHELD}"
    with gallery.open() as address, program(address) as viewer, program(address, "clinic") as clinic:
        withheld, unknown = viewer.get(study), viewer.get("/dicom-web/studies/1.2.3")
        assert (withheld.status_code, withheld.content) == (404, unknown.content)
        assert uids(viewer, PatientID="BN1") == uids(viewer, AccessionNumber="CD1") == []
        for path in ("/series", "/instances", "/metadata", f"/series/{WITHHELD}.1/instances/{WITHHELD}.1.1"):
            assert viewer.get(study + path).status_code == 404
        assert viewer.head(study, headers={"If-None-Match": "*"}).status_code == 404
        assert gallery.actions("disclose") == []
        assert set(gallery.actions("withhold")) == {("viewer (api)", WITHHELD, "closed list: HIV")}
        assert clinic.get(study).status_code == 200
        assert uids(clinic, PatientID="BN1") == [WITHHELD]
    assert gallery.actions("disclose")[0] == ("clinic (api)", WITHHELD, "1 objects (HIV care)")


def test_a_closed_list_counts_for_pictures_that_were_handed_out_before(gallery: Gallery) -> None:
    gallery.desk.send(admitted("BN1", "1"))
    gallery.keep(picture(1))
    with gallery.client() as client:
        etag = client.get(STUDY).headers["etag"]
        gallery.desk.send(admitted("BN1", "2", "DG1|1||B20^HIV^ICD10|||F"))
        assert client.get(STUDY, headers={"If-None-Match": etag}).status_code == 404


def test_what_is_not_in_the_record_yet_is_not_handed_out(gallery: Gallery) -> None:
    gallery.take(picture(1))
    with gallery.client() as client:
        assert client.get(STUDY).status_code == 404  # arriving
        gallery.settle()
        assert client.get(STUDY).status_code == 200
        gallery.take(picture(2))
        assert len(parts(client.get(STUDY))) == 1  # what was told; the late one is not of it yet
        late = f"{STUDY}/series/1.2.40.1.1/instances/1.2.40.1.1.2"
        assert client.get(late).status_code == 404
        gallery.settle()
        assert len(parts(client.get(STUDY))) == 2
        gallery.keep(picture(3, PatientID="BN2", PatientName="TRAN^BINH^VAN"))  # two persons: the error queue
        assert client.get(STUDY).status_code == 404
        assert uids(client, PatientID="BN1") == []


def test_a_merged_number_leads_to_the_study_and_the_answer_names_who_it_is_now(gallery: Gallery) -> None:
    gallery.desk.send(admitted("BN7", "1"))
    gallery.keep(picture(1))
    gallery.desk.send(message("ADT^A40", "2", evn(), pid("BN7"), "MRG|BN1^^^01999^PI"))
    with gallery.client() as client:
        for number in ("BN1", "BN7"):
            assert [(one.StudyInstanceUID, one.PatientID) for one in found(client, PatientID=number)] == [
                ("1.2.40.1", "BN7")
            ]
        assert client.get(STUDY).status_code == 200


def test_a_study_that_was_moved_is_told_of_its_owner_and_its_objects_stay(gallery: Gallery) -> None:
    gallery.desk.send(message("ADT^A01", "1", evn(), pid("BN2", "Trần^Bình^Văn", "19700101", "M"), pv1("V2")))
    gallery.keep(picture(1, PatientComments="sister of BN1"))
    gallery.assign("1.2.40.1", "BN2")
    with gallery.client() as client:
        assert client.get(STUDY).status_code == 404  # being moved
        gallery.settle()
        (one,) = found(client, PatientID="BN2", includefield="all")
        assert (one.PatientID, str(one.PatientName), one.InstanceAvailability) == (
            "BN2",
            "Trần^Bình^Văn",
            "UNAVAILABLE",
        )
        assert "BN1" not in one.to_json()
        assert uids(client, PatientID="BN1") == []
        assert "NGUYEN" not in client.get(f"{STUDY}/instances?includefield=all").text
        for path in (STUDY, f"{STUDY}/metadata", f"{STUDY}/series/1.2.40.1.1/instances/1.2.40.1.1.1"):
            reply = client.get(path)
            assert (reply.status_code, reply.json()["fault"]["code"]) == (409, "LT7019")
        gallery.assign("1.2.40.1", "BN1")  # and back
        gallery.settle()
        assert client.get(STUDY).status_code == 200


# ---- when something is wrong, or slow ----


def large(number: int, megabytes: int = 8) -> bytes:
    return picture(number, Rows=1024, Columns=512 * megabytes, PixelData=bytes(range(256)) * (4096 * megabytes))


def spoil(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_broken_seal_ends_the_connection_and_is_a_fault(gallery: Gallery, caplog: pytest.LogCaptureFixture) -> None:
    data = large(1)
    first, second = gallery.keep(data, picture(2))
    spoil(gallery.file(first), -100)
    with gallery.client() as client:
        with client.stream("GET", STUDY) as reply:
            assert reply.status_code == 200
            with pytest.raises(httpx.TransportError):
                reply.read()
        assert [one for one in caplog.records if "LT8003" in one.getMessage() and one.levelno == logging.ERROR]
        spoil(gallery.file(second), -1)
        reply = client.get(f"{STUDY}/series/1.2.40.1.1/instances/1.2.40.1.1.2")
        assert (reply.status_code, reply.json()["fault"]["code"]) == (500, "LT8003")
        gallery.file(second).unlink()
        reply = client.get(f"{STUDY}/series/1.2.40.1.1/instances/1.2.40.1.1.2")
        assert (reply.status_code, reply.json()["fault"]["code"]) == (503, "LT2125")
        assert "Traceback" not in caplog.text
    assert len(gallery.actions("disclose")) == 1


def deaf(address: str, path: str) -> socket.socket:
    """Ask for something and take nothing of it."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.settimeout(30)
    wire.connect((host, int(port)))
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKENS['viewer']}\r\n\r\n"
    wire.sendall(head.encode())
    return wire


def held(wire: socket.socket) -> bool:
    """Tell whether anybody has the other end of a connection open: of one that was let go the kernel knows no file."""
    here, there = (f":{port:04X}" for _, port in (wire.getsockname(), wire.getpeername()))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[9] != "0" for row in rows if row[1].endswith(there) and row[2].endswith(here))


def test_who_takes_nothing_is_let_go(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(streams, "PATIENCE_S", 0.3)
    monkeypatch.setattr(face, "_READING", 1)
    gallery.keep(large(1, 16))
    with gallery.open() as address, program(address) as client, deaf(address, STUDY) as wire:
        wait_until(lambda: held(wire) or "takes nothing" in caplog.text, 20)
        wait_until(lambda: bool(gallery.actions("disclose")), 20)
        wait_until(lambda: "takes nothing" in caplog.text, 20)
        wait_until(lambda: not held(wire), 20)
        wait_until(lambda: client.get(f"{STUDY}/metadata").status_code == 200, 20)


def test_only_so_many_at_a_time_and_who_leaves_makes_room(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face, "_READING", 1)
    gallery.keep(large(1, 16))
    piece = bytes(1 << 20)
    monkeypatch.setattr(Objects, "read", lambda *_: repeat(piece))  # without end: who reads on for nobody never stops
    with gallery.open() as address, program(address) as client:
        with deaf(address, STUDY):
            wait_until(lambda: bool(gallery.actions("disclose")), 20)
            busy = client.get(f"{STUDY}/metadata")
            assert (busy.status_code, busy.headers["retry-after"]) == (429, "30")
            assert client.post(SEARCH, data={"PatientID": "BN1"}).status_code == 429
        wait_until(lambda: client.get(f"{STUDY}/metadata").status_code == 200, 20)


def test_nothing_leaves_that_cannot_be_noted(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.faults import StoreUnavailable
    from gateway.store import actions

    gallery.keep(picture(1))

    def away(*_: object, **__: object) -> str:
        raise StoreUnavailable()

    monkeypatch.setattr(actions, "insert", away)
    with gallery.client() as client:
        for path in (STUDY, f"{STUDY}/metadata", f"{STUDY}/series"):
            reply = client.get(path)
            assert (reply.status_code, b"DICM" in reply.content, "CT" in reply.text) == (503, False, False)
        assert client.post(SEARCH, data={"PatientID": "BN1"}).status_code == 503


# ---- a real client ----


def test_orthanc_finds_and_retrieves(open_gallery: Gallery) -> None:
    sent = [picture(1), picture(2, file="JPEG2000.dcm"), picture(1, series=2, file="MR_small_RLE.dcm")]
    open_gallery.keep(*sent)
    with open_gallery.open() as address:
        headers = {"Authorization": f"Bearer {TOKENS['viewer']}"}
        servers = {"gateway": {"Url": f"{address}/dicom-web/", "HttpHeaders": headers}}
        with orthanc(servers) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as pacs:
            asked = {"Uri": "/studies", "Arguments": {"PatientID": "BN1"}}
            (study,) = pacs.post("/dicom-web/servers/gateway/qido", json=asked).raise_for_status().json()
            assert json.dumps(study).count("NGUYEN^HOA^THI") == 1
            series = {"Uri": "/studies/1.2.40.1/series"}
            assert len(pacs.post("/dicom-web/servers/gateway/qido", json=series).raise_for_status().json()) == 2
            wanted = {"Resources": [{"Study": "1.2.40.1"}], "Synchronous": True}
            pacs.post("/dicom-web/servers/gateway/retrieve", json=wanted).raise_for_status()
            ids = pacs.get("/instances").json()
            got = {pacs.get(f"/instances/{one}/file").content for one in ids}
            assert got == set(sent)
    told = [what for _, _, what in open_gallery.actions("disclose")]
    assert told == ["study listed (treatment)", "2 series listed (treatment)", "3 objects (treatment)"]
