"""Every fault has its reason and its status, and the response is one that other people's readers read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lxml import etree
from pydicom import Dataset
from pydicom.datadict import dictionary_VR, keyword_for_tag

from connectors import faults
from connectors.contract import ObjectAnswer
from connectors.sources._store_response import JSON, XML, refusal_of, response, status_of, wanted_kind
from mappings.formats.faults import CharsetMismatch, IntakeFault

TAKEN = ObjectAnswer(taken=True, sop_class="1.2", sop_instance="1.2.3", study="1.2.9")


def no(fault: IntakeFault | None, sop_instance: str = "") -> ObjectAnswer:
    return ObjectAnswer(taken=False, fault=fault, sop_class="1.2" if sop_instance else "", sop_instance=sop_instance)


@pytest.mark.parametrize(
    ("fault", "reason", "status"),
    [
        (faults.ObjectStoreAway(), 0xA700, 503),
        (faults.ListenFailed(), 0xA700, 503),  # whatever is TRANSIENT
        (faults.ObjectTooLarge(), 0xA700, 413),
        (faults.TooManyParts(), 0xA700, 413),
        (faults.ObjectMisnamed(), 0xA900, 409),
        (faults.ObjectClash(), 0x0111, 409),
        (faults.ObjectUnreadable(), 0xC000, 409),
        (faults.PartNotDicom(), 0xC000, 415),
        (faults.MultipartInvalid(), 0xC000, 400),
        (faults.ObjectIncomplete(), 0xC000, 408),
        (CharsetMismatch(), 0x0110, 409),
        (None, 0x0110, 409),
    ],
)
def test_every_fault_has_a_reason_and_a_status(fault: IntakeFault | None, reason: int, status: int) -> None:
    assert refusal_of(fault).reason == reason
    assert status_of([no(fault)]) == status
    assert status_of([no(fault), TAKEN]) == 202
    told = Dataset.from_json(response([no(fault, "1.2.4")], JSON))
    assert told.FailedSOPSequence[0].FailureReason == reason


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([faults.ObjectClash(), faults.ObjectStoreAway()], 503),
        ([faults.ObjectClash(), faults.ObjectTooLarge()], 413),
        ([faults.ObjectClash(), faults.MultipartInvalid()], 400),
        ([faults.ObjectClash(), faults.PartNotDicom()], 409),
    ],
)
def test_of_several_reasons_the_most_telling_is_the_status(found: list[IntakeFault], status: int) -> None:
    assert status_of([no(fault) for fault in found]) == status
    assert status_of([no(fault) for fault in reversed(found)]) == status


def test_all_taken() -> None:
    assert status_of([TAKEN, TAKEN]) == 200
    told = Dataset.from_json(response([TAKEN, TAKEN], JSON))
    assert [one.keyword for one in told] == ["ReferencedSOPSequence"]


RESULTS = [TAKEN, no(faults.ObjectClash(), "1.2.4"), no(faults.ObjectUnreadable()), no(faults.TooManyParts())]


def test_the_response_is_read_by_pydicom() -> None:
    told = Dataset.from_json(response(RESULTS, JSON))
    (taken,), (failed,) = told.ReferencedSOPSequence, told.FailedSOPSequence
    assert (taken.ReferencedSOPClassUID, taken.ReferencedSOPInstanceUID) == ("1.2", "1.2.3")
    assert "FailureReason" not in taken
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == ("1.2.4", 0x0111)
    assert [one.FailureReason for one in told.OtherFailuresSequence] == [0xC000, 0xA700]


def test_xml_says_the_same_as_json() -> None:
    root = etree.fromstring(response(RESULTS, XML))

    def read(parent: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for attribute in parent:
            tag, vr = attribute.get("tag"), attribute.get("vr")
            assert attribute.get("keyword") == keyword_for_tag(int(tag, 16))
            assert vr == dictionary_VR(int(tag, 16))
            values: list[Any] = [read(item) if vr == "SQ" else item.text for item in attribute]
            found[tag] = {"vr": vr, "Value": [int(one) if vr == "US" else one for one in values]}
        return found

    assert root.tag == "{http://dicom.nema.org/PS3.19/models/NativeDICOM}NativeDicomModel"
    assert Dataset.from_json(read(root)) == Dataset.from_json(response(RESULTS, JSON))


def test_uids_that_are_none_break_neither_form() -> None:
    strange = [ObjectAnswer(taken=True, sop_class="", sop_instance='<&"\x01\x00é')]
    (item,) = json.loads(response(strange, JSON))["00081199"]["Value"]
    assert item == {"00081150": {"vr": "UI"}, "00081155": {"vr": "UI", "Value": ['<&"\x01\x00é']}}
    (value,) = etree.fromstring(response(strange, XML)).iter("{*}Value")
    assert value.text == '<&"é'


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("text/html", JSON),
        ("application/dicom+json", JSON),
        ("application/dicom+xml", XML),
        ("application/json", "application/json"),
        ("Application/DICOM+XML; q=0.5, application/dicom+json;q=0.4", XML),
        ("application/dicom+json, application/dicom+xml", JSON),
        ("application/dicom+xml;q=0, */*", JSON),
        ("application/dicom+xml;q=high", JSON),
    ],
)
def test_the_form_is_what_the_sender_accepts(accept: str, kind: str) -> None:
    assert wanted_kind(accept) == kind
