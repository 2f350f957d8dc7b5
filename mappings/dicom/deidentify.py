"""Make an object that no longer says whose it is: the basic profile, with the options asked for.

Another object comes out; the one given is not changed. Every UID becomes another, the same one for the same key wherever it
stands, so that the objects of a study still belong together; the patient gets a number from the key, the same in every study.
Removed at any depth: private attributes, those that nobody knows, curves and overlays. Texts are removed or replaced, not
cleaned. After the table has been followed, texts that still hold a name or number of the patient are replaced too.

Pixels stay as they are: what is written into them, and faces, stay with them (`mappings.dicom.burned_in`). So do lengths,
device models and everything else that the profile keeps; who has the original can recognise the copy.

Standard: DICOM PS3.15 Annex E; PS3.3 §C.7.1.1, §C.12.1
"""

from __future__ import annotations

from copy import copy
from typing import Any, Final

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, empty_value_for_VR
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from mappings.dicom import faults
from mappings.dicom.confidentiality import (
    BASIC_PROFILE,
    CLASS_UIDS,
    CLEANED_CONTENT,
    CODES,
    EDITION,
    SCHEMES,
    Action,
    Options,
    action_for,
    table,
)
from mappings.dicom.content_items import blank_item
from mappings.dicom.dummies import DUMMIES, code_item
from mappings.dicom.part10 import IMPLEMENTATION, as_it_is
from mappings.dicom.pseudonyms import Pseudonyms, moved
from mappings.dicom.telltale import Telltale, texts

BASIC: Final = Options()
_PATIENT_ID, _CONTENT = 0x00100020, 0x0040A730
_ENCAPSULATED = "1.2.840.10008.5.1.4.1.1.104."
_TEXTS = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_CODE = frozenset({"CodeValue", "LongCodeValue", "CodeMeaning", "CodingSchemeDesignator", "CodingSchemeVersion"})
_DEEPEST = 64


def deidentify(dataset: Dataset, key: bytes, options: Options = BASIC) -> Dataset:
    """Give the de-identified object; it says itself which profile and options it went through.

    Whoever has `key` can tell which pseudonym is whose: it must not leave with the objects. Raises `DocumentEncapsulated`
    for enclosed files (PDF, CDA …), which nobody can look into, `NestedTooDeeply`, `UidMissing`.
    """
    if "EncapsulatedDocument" in dataset or str(dataset.get("SOPClassUID", "")).startswith(_ENCAPSULATED):
        raise faults.DocumentEncapsulated("(0042,0011)")
    if not dataset.get("SOPInstanceUID") or not dataset.get("SOPClassUID"):
        raise faults.UidMissing("(0008,0018)")
    with as_it_is():
        work = _Work(dataset, Pseudonyms(key), options)
        found = work.clean(dataset)
        work.say(found)
        found.file_meta = _meta(dataset, found)
    found.preamble = b"\0" * 128
    return found


def _meta(dataset: Dataset, found: Dataset) -> FileMetaDataset:
    """Make the file meta anew: of the old one stays how the object is written."""
    meta = FileMetaDataset()
    said = getattr(dataset, "file_meta", FileMetaDataset()).get("TransferSyntaxUID")
    implicit, little = dataset.original_encoding
    written = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    meta.TransferSyntaxUID = UID(said or (ImplicitVRLittleEndian if implicit in (True, None) else written))
    meta.ImplementationClassUID = UID(IMPLEMENTATION)
    meta.ImplementationVersionName = "LIENTHONG"
    meta.MediaStorageSOPClassUID = found.SOPClassUID
    meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID
    return meta


class _Work:
    """One object on its way."""

    def __init__(self, dataset: Dataset, names: Pseudonyms, options: Options) -> None:
        self._names, self._options = names, options
        self._telltale = Telltale(dataset)
        self._number = str(dataset.get("PatientID") or "")
        study = str(dataset.get("StudyInstanceUID", ""))
        self._subject = options.subject or self._number or f"study {study}"
        self._days = names.days(self._subject)
        self._content = False

    def say(self, found: Dataset) -> None:
        """Write into the object what was done to it, and whose pseudonym it has."""
        options = [code for name, code in CODES.items() if getattr(self._options, name)]
        applied = [BASIC_PROFILE, *([CLEANED_CONTENT] if self._content else []), *options]
        found.PatientID = self._names.patient(self._subject)
        found.PatientIdentityRemoved = "YES"
        found.DeidentificationMethod = f"{EDITION} {BASIC_PROFILE[1]}"
        found.DeidentificationMethodCodeSequence = Sequence([code_item(code, "DCM", said) for code, said in applied])
        found.LongitudinalTemporalInformationModified = "MODIFIED" if self._options.dates else "REMOVED"

    def clean(self, dataset: Dataset, *, strict: bool = False, depth: int = 0) -> Dataset:
        """Follow the table; `strict`: within a sequence that is replaced, texts without a row are replaced too."""
        if depth > _DEEPEST:
            raise faults.NestedTooDeeply(detail=str(_DEEPEST))
        found = Dataset()
        coded = str(dataset.get("CodingSchemeDesignator", "")).strip() in SCHEMES
        for tag in dataset.keys():  # noqa: SIM118 — iterating over the data set itself converts, and raises
            element = _readable(dataset, tag)
            if element is None:
                continue
            made = self._element(element, strict=strict, depth=depth)
            if made is not None and made.VR in _TEXTS and not (coded and made.keyword in _CODE):
                made = self._without_names(made)
            if made is not None:
                found.add(made)
        return found

    def _element(self, element: DataElement, *, strict: bool, depth: int) -> DataElement | None:
        tag, vr = element.tag, element.VR
        action = action_for(tag, vr, self._options)
        if tag == _PATIENT_ID:
            return _with(element, self._names.patient(self._subject_of(texts(element))))
        if tag == _CONTENT and vr == "SQ":
            self._content = True
            return _with(element, Sequence([self._item(one, depth) for one in element.value]))
        if strict and tag not in table() and (vr in _TEXTS or vr == "SQ"):
            action = Action.DUMMY
        if action is Action.SHIFT:
            dates = [moved(vr, one, self._days) for one in texts(element)]
            if None not in dates:
                return _with(element, dates if len(dates) > 1 else "".join(one or "" for one in dates))
            action = action_for(tag, vr, Options())
        if action is Action.REMOVE:
            return None
        if action is Action.EMPTY or (element.is_empty and vr != "SQ"):
            return _with(element, Sequence() if vr == "SQ" else empty_value_for_VR(vr))
        if vr == "SQ":
            replaced = strict or action is Action.DUMMY
            items = [self.clean(one, strict=replaced, depth=depth + 1) for one in element.value]
            return _with(element, Sequence(items))
        if action is Action.DUMMY:
            return _with(element, DUMMIES.get(vr, b"\0\0"))
        if action is Action.UID and element.keyword not in CLASS_UIDS:
            uids = [self._names.uid(one) for one in texts(element)]
            return _with(element, uids if len(uids) > 1 else uids[0])
        return copy(element)

    def _item(self, item: Dataset, depth: int) -> Dataset:
        """Clean a content item: the tree, its concepts, numbers and references stay; texts and names do not."""
        return blank_item(self.clean(item, depth=depth + 1), characteristics=self._options.characteristics)

    def _subject_of(self, numbers: list[str]) -> str:
        number = "".join(numbers)
        return number if number and number != self._number else self._subject

    def _without_names(self, element: DataElement) -> DataElement:
        """Replace a text that holds what the object says of its patient elsewhere."""
        if element.tag == _PATIENT_ID or not any(self._telltale.stands_in(one) for one in texts(element)):
            return element
        return _with(element, DUMMIES[element.VR])


def _readable(dataset: Dataset, tag: BaseTag) -> DataElement | None:
    """Give an element of the standard; None for what is removed whatever it says, or is not what its tag says."""
    if tag.is_private or tag.group in (0, 2) or tag.element == 0 or not dictionary_has_tag(tag):
        return None
    try:
        element = dataset[tag]
    except Exception:  # noqa: BLE001 — pydicom raises many; what cannot be read is not written again
        return None
    known = frozenset(dictionary_VR(tag).split(" or "))
    hidden = (element.VR in _BINARY or "SQ" in known) and element.VR not in known and not known & _BINARY
    return None if hidden else element


def _with(element: DataElement, value: Any) -> DataElement:
    return DataElement(element.tag, element.VR, value)
