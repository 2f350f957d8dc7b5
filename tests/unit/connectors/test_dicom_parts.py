"""The parts of the DICOM source that need no network: statuses, file meta information, callers, contexts, settings."""

from __future__ import annotations

import inspect
from datetime import timedelta
from io import BytesIO
from typing import Any

import pydicom
import pytest
from pydicom.dataset import validate_file_meta
from pynetdicom.sop_class import _STORAGE_CLASSES
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS

from connectors import faults
from connectors.contract import ObjectNames
from connectors.sources._dicom_callers import Callers
from connectors.sources._dicom_contexts import is_storage
from connectors.sources._dicom_object import STATUSES, comment_of, head, status_of
from connectors.sources.dicom import Settings
from mappings.formats.faults import EmptyMessage, FaultClass, IntakeFault
from mappings.formats.values import FileName, Size

OBJECT_FAULTS = [
    fault
    for _, fault in inspect.getmembers(faults, inspect.isclass)
    if issubclass(fault, IntakeFault) and 2120 <= fault.code <= 2129
]
NAMES = ObjectNames("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1", "CT1", "GATEWAY")


@pytest.mark.parametrize("fault", OBJECT_FAULTS)
def test_every_fault_about_objects_has_a_status_that_the_standard_allows(fault: type[IntakeFault]) -> None:
    status = STATUSES[fault]
    category, meaning = STORAGE_SERVICE_CLASS_STATUS[status]
    assert category == "Failure"
    assert status >> 8 in (0xA7, 0xA9) or status >> 12 == 0xC or status == 0x0124
    assert (meaning == "Refused: Out of Resources") == (fault.fault_class is FaultClass.TRANSIENT)
    assert status_of(fault("here", "detail")) == status


def test_statuses_tell_faults_apart() -> None:
    assert len(set(STATUSES.values())) == len(STATUSES)


def test_a_fault_that_is_not_in_the_table_is_told_by_its_class() -> None:
    class Passing(IntakeFault):
        fault_class = FaultClass.TRANSIENT

    class FullDisk(faults.ObjectStoreAway):
        pass

    assert status_of(Passing()) == 0xA700
    assert status_of(FullDisk()) == 0xA700
    assert status_of(EmptyMessage()) == 0xC000


def test_the_comment_fits_and_holds_nothing_of_the_object() -> None:
    for fault in OBJECT_FAULTS:
        comment = comment_of(fault("PatientName", "NGUYEN VAN AN"))
        assert comment == f"LT{fault.code} {fault.__name__}"
        assert len(comment) <= 64


def test_the_head_of_a_file_is_read_by_pydicom() -> None:
    read = pydicom.dcmread(BytesIO(head(NAMES)))
    meta = read.file_meta
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (NAMES.sop_class, NAMES.sop_instance)
    assert meta.TransferSyntaxUID == NAMES.transfer_syntax
    assert meta.FileMetaInformationGroupLength == len(head(NAMES)) - 144
    validate_file_meta(meta, enforce_standard=True)


def test_the_head_of_a_file_never_changes() -> None:
    """Whoever changes these bytes makes strangers of all objects kept so far: their repeats would be clashes."""
    expected = (
        bytes(128).hex()
        + "4449434d"
        + "02000000554c0400a0000000"
        + "020001004f42000002000000"
        + "0001"
        + "0200020055491a00"
        + b"1.2.840.10008.5.1.4.1.1.2\0".hex()
        + "0200030055490600"
        + b"1.2.3\0".hex()
        + "0200100055491400"
        + b"1.2.840.10008.1.2.1\0".hex()
        + "0200120055492c00"
        + b"2.25.261247142796598107048255911180975432685".hex()
        + "0200130053480a00"
        + b"LIENTHONG ".hex()
    )
    assert head(NAMES).hex() == expected
    other = ObjectNames(NAMES.sop_class, NAMES.sop_instance, NAMES.transfer_syntax, "MR2", "GATEWAY2")
    assert head(other) == head(NAMES)


@pytest.mark.parametrize(
    ("title", "address", "included"),
    [
        ("CT1", "10.0.0.9", True),
        ("CT1", "10.0.1.9", False),
        ("CT1", "::ffff:10.0.0.9", True),
        ("CT1", "fe80::1%eth0", False),
        ("CT1", "not an address", False),
        ("MR", "192.168.7.7", True),
        ("MR", "192.168.7.8", False),
        ("MR", "fd00::5", True),
        ("US 2", "203.0.113.1", True),
        (" US 2 ", "203.0.113.1", True),
        ("US", "203.0.113.1", False),
        ("us 2", "203.0.113.1", False),
        ("", "10.0.0.9", False),
    ],
)
def test_callers(title: str, address: str, included: bool) -> None:
    callers = Callers(("CT1@10.0.0.0/24", "MR@192.168.7.7", "MR@fd00::/8", "US 2"), anyone=False)
    assert callers.include(title, address) is included
    assert Callers((), anyone=True).include(title, address)
    assert not Callers((), anyone=False).include(title, address)


@pytest.mark.parametrize(
    "entry", ["", "@10.0.0.1", "CT1@", "CT1@host", "CT1@10.0.0.0/33", "A" * 17, "A\\B", "CT\n1", " CT1", "Máy"]
)
def test_what_is_no_caller(entry: str) -> None:
    with pytest.raises(ValueError, match="callers: "):
        Settings("127.0.0.1:0", "GATEWAY", callers=(entry,), tls="none")


def test_all_storage_classes_of_pynetdicom_are_storage() -> None:
    assert [uid for uid in _STORAGE_CLASSES.values() if not is_storage(uid)] == []


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("callers", {"anyone": False}),
        ("anyone", {"callers": ("CT1",)}),
        ("ae_title", {"ae_title": ""}),
        ("ae_title", {"ae_title": "A" * 17}),
        ("listen", {"listen": "11112"}),
        ("certificate", {"tls": "tls"}),
        ("client_ca", {"tls": "mtls", "certificate": FileName("a"), "private_key": FileName("b")}),
        ("peers", {"peers": {"CT1": "10.0.0.5"}}),
        ("peers", {"peers": {"C\\T": "10.0.0.5:104"}}),
        ("worklist", {"worklist": True}),
        ("stations", {"stations": {"A" * 17: ("CT",)}}),
        ("stations", {"stations": {"CT1": ()}}),
        ("worklist_most", {"worklist_most": 0}),
        ("worklist_overdue", {"worklist_overdue": timedelta(seconds=-1)}),
        ("max_size", {"max_size": Size(0)}),
        ("max_associations", {"max_associations": 0}),
        ("max_pdu", {"max_pdu": Size(4095)}),
        ("max_pdu", {"max_pdu": Size(1024 * 1024 + 1)}),
        ("network_timeout", {"network_timeout": timedelta(0)}),
        ("acse_timeout", {"acse_timeout": timedelta(0)}),
        ("dimse_timeout", {"dimse_timeout": timedelta(0)}),
        ("grace", {"grace": timedelta(seconds=-1)}),
    ],
)
def test_a_wrong_setting_says_what_to_write(setting: str, values: dict[str, Any]) -> None:
    good: dict[str, Any] = {"listen": "127.0.0.1:0", "ae_title": "GATEWAY", "anyone": True, "tls": "none"}
    Settings(**good)
    with pytest.raises(ValueError, match=f"^{setting}: ") as told:
        Settings(**{**good, **values})
    assert "\n" not in str(told.value)
