"""The pure parts of the PACS client: identifiers, the table of statuses, settings, and what is asked for."""

from __future__ import annotations

import struct
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode, encode
from pynetdicom.status import GENERAL_STATUS, QR_FIND_SERVICE_CLASS_STATUS, QR_MOVE_SERVICE_CLASS_STATUS

from connectors import _dicom_identifier as identifier
from connectors._dicom_identifier import ImageRow, SeriesRow, StudyRow
from connectors._dicom_status import Says, fault_of, says
from connectors.dicom_client import Retrieval, _storage_contexts
from connectors.dicom_peer import PacsSettings
from connectors.faults import PacsTlsUnusable, QuestionInvalid
from gateway.pacs import requests
from mappings.formats.faults import DeliveryFault
from mappings.formats.values import FileName, Size

CATEGORY = {
    "Success": {Says.DONE},
    "Pending": {Says.PENDING},
    "Warning": {Says.PARTLY},
    "Cancel": {Says.CANCELLED},
    "Failure": {Says.FAILED},
}


@pytest.mark.parametrize("table", [QR_FIND_SERVICE_CLASS_STATUS, QR_MOVE_SERVICE_CLASS_STATUS, GENERAL_STATUS])
def test_a_status_says_what_pynetdicom_says(table: dict[int, tuple[str, str]]) -> None:
    wrong = {f"{status:04X}": told for status, (told, _) in table.items() if says(status) not in CATEGORY[told]}
    assert wrong == {}


@given(st.integers(0, 0xFFFF))
def test_every_status_is_read_and_a_fault_only_of_a_failure(status: int) -> None:
    fault = fault_of(status, "pacs")
    assert (fault is not None) == (says(status) is Says.FAILED)
    assert fault is None or (isinstance(fault, DeliveryFault) and f"{status:04X}" in str(fault))


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("row", [StudyRow, SeriesRow, ImageRow])
def test_a_question_is_a_data_set_as_pydicom_reads_it(row: type[Any], implicit: bool) -> None:
    keys = {"StudyInstanceUID": "1.2.3"}
    asked = identifier.question(row, keys)
    found = decode(BytesIO(identifier.write(asked, implicit=implicit)), implicit, True)
    assert {one.keyword for one in found} == set(asked)
    assert found.StudyInstanceUID == "1.2.3"
    assert found.QueryRetrieveLevel == identifier.LEVELS[row]
    assert encode(found, implicit, True) == identifier.write(asked, implicit=implicit)


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("undefined", [True, False])
def test_a_row_is_read_past_sequences_and_odd_values(implicit: bool, undefined: bool) -> None:
    told = Dataset()
    told.SpecificCharacterSet = "ISO_IR 192"
    inner = Dataset()
    inner.PatientID = "inside"
    inner.StudyInstanceUID = "9.9"
    told.ReferencedStudySequence = [inner, inner]
    told["ReferencedStudySequence"].is_undefined_length = undefined
    inner.is_undefined_length_sequence_item = undefined
    told.PatientName, told.PatientID = "NGUYỄN^AN", "BN1"
    told.StudyInstanceUID, told.ModalitiesInStudy = "1.2.3", ["CT", "SR"]
    told.NumberOfStudyRelatedInstances = 12
    found = identifier.read(encode(told, implicit, True) or b"", StudyRow, implicit=implicit)
    assert found is not None
    assert (found["PatientName"], found["PatientID"], found["StudyInstanceUID"]) == ("NGUYỄN^AN", "BN1", "1.2.3")
    assert (found["ModalitiesInStudy"], found["NumberOfStudyRelatedInstances"]) == (("CT", "SR"), 12)
    assert found["NumberOfStudyRelatedSeries"] == 0


@pytest.mark.parametrize(
    ("named", "raw", "text"),
    [
        (b"", b"NGUYEN", "NGUYEN"),
        (b"", "NGUYỄN".encode(), "NGUYỄN"),
        (b"", b"M\xfcller", "Müller"),
        (b"ISO_IR 100", b"M\xfcller", "Müller"),
        (b"ISO_IR 192 ", "NGUYỄN".encode(), "NGUYỄN"),
        (b"ISO_IR 192", b"a\xff", "a\ufffd"),
        (b"NO SUCH SET", b"a\xff", "aÿ"),
        (b"GB18030", "王".encode("gb18030"), "王"),
    ],
)
def test_text_is_read_whatever_set_it_is_in(named: bytes, raw: bytes, text: str) -> None:
    data = b"".join(
        struct.pack("<HHL", group, number, len(value)) + value
        for group, number, value in ((8, 5, named), (0x10, 0x10, raw), (0x20, 0x0D, b"1.2\0"))
    )
    found = identifier.read(data, StudyRow, implicit=True)
    assert found is not None
    assert found["PatientName"] == text


@given(st.binary(max_size=200), st.booleans())
def test_noise_is_unreadable_or_a_row_and_nothing_else(data: bytes, implicit: bool) -> None:
    try:
        identifier.read(data, StudyRow, implicit=implicit)
    except identifier.Unreadable:
        pass


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientID", "a\\b"),
        ("PatientID", "a\nb"),
        ("PatientID", "x" * 65),
        ("AccessionNumber", "x" * 17),
        ("StudyInstanceUID", "1.2.*"),
        ("StudyInstanceUID", "1" * 65),
    ],
)
def test_a_question_that_may_not_be_asked_is_refused_without_quoting_it(keyword: str, value: str) -> None:
    with pytest.raises(QuestionInvalid) as told:
        identifier.write(identifier.question(StudyRow, {keyword: value}), implicit=False)
    assert keyword in str(told.value)
    assert value not in str(told.value)


@pytest.mark.parametrize("count", [0, 1, 3, 20, 60, 64, 127, 200])
def test_contexts_fit_an_association_and_leave_no_class_and_no_syntax_out(count: int) -> None:
    classes = [f"1.2.840.10008.5.1.4.1.1.{number}" for number in range(1, count + 1)]
    contexts = _storage_contexts(classes)
    assert 0 < len(contexts) <= 127
    by_class: dict[str, list[str]] = {}
    for one in contexts:
        by_class.setdefault(str(one.abstract_syntax), []).extend(map(str, one.transfer_syntax))
    assert list(by_class)[:127] == (classes[:127] or list(by_class))
    everything = set(by_class[next(iter(by_class))])
    assert all(set(offered) == everything and len(offered) == len(everything) for offered in by_class.values())
    assert len(everything) > 30


# ---- what is asked for ----


def image(series: str, instance: str) -> ImageRow:
    return ImageRow(
        StudyInstanceUID="1", SeriesInstanceUID=series, SOPInstanceUID=instance, SOPClassUID="", InstanceNumber=0
    )


ROWS = [
    image("1.1", "1.1.1"),
    image("1.1", "1.1.2"),
    image("1.2", "1.2.1"),
    image("1.3", "1.3.1"),
    image("1.3", "1.3.2"),
]


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        ((), [Retrieval("1")]),
        (("1.2.1",), [Retrieval("1", ("1.1", "1.3"))]),
        (("1.1.1",), [Retrieval("1", ("1.2", "1.3")), Retrieval("1", ("1.1",), ("1.1.2",))]),
        (("1.1.1", "1.2.1", "1.3.2"), [Retrieval("1", ("1.1",), ("1.1.2",)), Retrieval("1", ("1.3",), ("1.3.1",))]),
        (("1.1.1", "1.1.2", "1.2.1", "1.3.1", "1.3.2"), []),
        (("9.9",), [Retrieval("1")]),
    ],
)
def test_only_what_is_not_held_is_asked_for(held: tuple[str, ...], asked: list[Retrieval]) -> None:
    assert requests(ROWS, frozenset(held)) == asked


def test_requests_are_no_longer_than_a_pacs_can_read() -> None:
    rows = [image("1.1", f"1.1.{number}") for number in range(501)]
    asked = requests(rows, frozenset({"1.1.0"}))
    assert [len(one.objects) for one in asked] == [200, 200, 100]
    assert {uid for one in asked for uid in one.objects} == {row["SOPInstanceUID"] for row in rows[1:]}
    alone = requests(rows[:3], frozenset({"1.1.1"}), alone=True)
    assert alone == [Retrieval("1", ("1.1",), ("1.1.0",)), Retrieval("1", ("1.1",), ("1.1.2",))]
    assert requests([], frozenset()) == []


@pytest.mark.parametrize(
    ("asked", "level"),
    [(Retrieval("1"), "STUDY"), (Retrieval("1", ("2",)), "SERIES"), (Retrieval("1", ("2",), ("3",)), "IMAGE")],
)
def test_a_request_names_its_level_and_the_keys_above(asked: Retrieval, level: str) -> None:
    keys = asked.identifier
    assert keys.pop("QueryRetrieveLevel") == level
    assert list(keys) == ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"][: len(keys)]


# ---- settings ----


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("name", "a b"),
        ("address", "nowhere"),
        ("address", ""),
        ("ae_title", ""),
        ("calling", "A\\B"),
        ("move_to", "SEVENTEEN LETTERS"),
        ("reports", "0.0.0.0"),
        ("private_key", FileName("key.pem")),
        ("any_name", True),
        ("max_pdu", Size(100)),
        ("commit_timeout", timedelta(0)),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(setting: str, value: object) -> None:
    good: dict[str, Any] = {"name": "main", "address": "10.0.0.9:104", "ae_title": "PACS", "calling": "US"}
    assert PacsSettings(**good).place == ("10.0.0.9", 104)
    with pytest.raises(ValueError, match=f"^{setting}: "):
        PacsSettings(**good | {setting: value})


def test_tls_files_that_do_not_serve_are_told(tmp_path: Any) -> None:
    settings = PacsSettings("10.0.0.9:104", "PACS", "US", name="main", ca=FileName(tmp_path / "none.pem"))
    with pytest.raises(PacsTlsUnusable):
        settings.client_context()
    assert PacsSettings("10.0.0.9:104", "PACS", "US", name="main", tls="none").client_context() is None
