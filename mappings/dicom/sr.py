"""Structured reports as DiagnosticReport and Observations; dose reports as Observations alone; key objects as notes of
the study.

A report is final when it is complete and verified, unless it says that it is preliminary. What it concludes, describes,
recommends and how the examination was done become the fields that the imaging report paper reads; the whole text is its
presented form. Of a report and its replacements in one study only the newest is mapped, as a version of the first.

Standard: DICOM PS3.3 §C.17; PS3.4 Annex B
Requirement: S3.14, S3.15
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha1
from typing import Any

from mappings.dicom import content, faults
from mappings.dicom.attributes import Attributes, item, items, text, values
from mappings.dicom.body import Entry
from mappings.dicom.codings import entry_to_concept, unique
from mappings.dicom.content import Item, tree
from mappings.dicom.draft import UID, Draft, instance_uid, reference, uid_identifier
from mappings.dicom.header import SOP_CLASS
from mappings.dicom.measurements import DOSE, DOSE_PARAMETER, IMAGING, Measured, take_measurements
from mappings.dicom.people import practitioner
from mappings.dicom.request import accession
from mappings.hl7v2.datatypes import Element, compact
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

_SR = "1.2.840.10008.5.1.4.1.1.88."
REPORTS = frozenset(f"{_SR}{n}" for n in (11, 22, 33, 34, 35, 50, 65, 69, 72))
"""Basic, enhanced, comprehensive, comprehensive 3D, extensible; the CAD reports and the simplified echo report."""
DOSES = frozenset(f"{_SR}{n}" for n in (67, 68, 76))
"""X-ray, radiopharmaceutical and patient dose."""
KEYS = f"{_SR}59"
OTHERS = frozenset(f"{_SR}{n}" for n in (40, 70, 71, 73, 74, 75))
_REJECTIONS = frozenset(("DCM", code) for code in ("113001", "113037", "113038", "113039"))
"""Titles that say the objects are not to be used. Standard: DICOM PS3.16 CID 7010; IHE RAD TF IOCM"""
_PREDECESSORS, _COMPLETE, _VERIFIED, _PRELIMINARY = "0040A360", "0040A491", "0040A493", "0040A496"
_VERIFIERS, _AUTHORS = "0040A073", "0040A078"

MAPPED: dict[str, str] = {}
CODED: dict[str, str] = {}
IGNORED = {
    _COMPLETE: "state of a document without a report",
    _VERIFIED: "state of a document without a report",
    _PRELIMINARY: "state of a document without a report",
    "0040A492": "why the document is not complete, in words",
    "0040A494": "whether the content was archived",
    "0040A040": "type of the root of the content; it steers the reading",
    "0040A050": "whether the items are one text; it steers the reading",
    "0040A032": "when the content was observed; the report tells its time",
    "0040A027": "organisation of who verified; the person is named",
}
BELOW = {
    _VERIFIERS: "who verified a document without a report; organisation of who verified",
    _AUTHORS: "who wrote a document without a report; kind and organisation of the author",
    _PREDECESSORS: "the document it replaces; the report is known as its version",
    "0040A07A": "who else took part",
    "0040A07C": "who keeps the document",
    "0040A088": "code of who verified, beside the name",
    "0040A375": "the pictures of the report; the study names them",
    "0040A385": "other pictures the report speaks of",
    "0040A390": "the same document in another form",
    "0040A504": "template of the content; it steers the reading",
    "0040A525": "copies of the document",
    "0040A372": "what was done; the study names it",
    "0040A354": "where the document is kept",
}
_REPLACED = "a later document of the study replaces it"
_OTHER_KIND = "content of a document that is no report; it is in the object"
_FIELDS = (
    (content.FINDING, "MO_TA", "Mô tả"),
    (content.CONCLUSION, "KET_LUAN", "Kết luận"),
    (content.RECOMMENDATION, "DE_NGHI", "Đề nghị"),
    (content.TECHNIQUE, "KY_THUAT", "Kỹ thuật"),
)


def take_documents(draft: Draft, study: Resource) -> None:
    """Map every structured document of the study."""
    found = [entry for entry in draft.entries if text(entry.attributes, SOP_CLASS) in REPORTS | DOSES | OTHERS | {KEYS}]
    roots = _roots(found)
    replaced = {uid for entry in found for uid in _predecessors(entry)}
    for n, entry in enumerate(found, 1):
        root = tree(entry.attributes)
        draft.document = f"SR[{n}]/" if len(found) > 1 else ""
        kind = text(entry.attributes, SOP_CLASS)
        if instance_uid(entry) in replaced:
            _account(root, draft, "ignored", _REPLACED)
        elif kind in REPORTS:
            _report(entry, root, roots[instance_uid(entry)], _versions(entry, found), draft)
        elif kind in DOSES:
            _dose(entry, root, roots[instance_uid(entry)], draft)
        elif kind == KEYS:
            _key_objects(root, draft, study)
        else:
            _account(root, draft, "ignored", _OTHER_KIND)
    draft.document = ""


def _predecessors(entry: Entry) -> list[str]:
    """Give the documents an object replaces."""
    return [
        uid
        for study in items(entry.attributes, _PREDECESSORS)
        for series in items(study, "00081115")
        for one in items(series, "00081199")
        if (uid := text(one, "00081155"))
    ]


def _roots(found: Sequence[Entry]) -> dict[str, str]:
    """Give, of every document, the first of its versions, by whose number it is known."""
    before = {instance_uid(entry): _predecessors(entry) for entry in found}
    roots = {}
    for uid in before:
        first, seen = uid, {uid}
        while before.get(first) and before[first][0] not in seen:
            first = before[first][0]
            seen.add(first)
        roots[uid] = first
    return roots


def _versions(entry: Entry, found: Sequence[Entry]) -> list[str]:
    """Give the number of a document and those of all that it replaces, the newest first."""
    before = {instance_uid(one): _predecessors(one) for one in found}
    known = [instance_uid(entry)]
    for uid in known:
        known += [one for one in dict.fromkeys(before.get(uid, ())) if one not in known]
    return known


def status_of(attributes: Attributes) -> str:
    """Give the state of a document: only what is complete, verified and not called preliminary is final."""
    if text(attributes, _COMPLETE) == "PARTIAL":
        return "partial"
    if text(attributes, _PRELIMINARY) == "PRELIMINARY" or text(attributes, _VERIFIED) != "VERIFIED":
        return "preliminary"
    return "amended" if items(attributes, _PREDECESSORS) else "final"


def _report(entry: Entry, root: Item, key: str, versions: Sequence[str], draft: Draft) -> None:
    attributes, context = entry.attributes, draft.context
    status = status_of(attributes)
    readers, verified_at = _verifiers(attributes, draft)
    authors = _authors(attributes, draft)
    performed_at = _performed_at(entry, draft)
    measured = Measured(
        key, "final" if status in ("final", "amended") else "preliminary", performed_at, readers or authors
    )
    take_measurements(root, measured, draft)
    parts = {role: content.told(root, role) for role, _, _ in _FIELDS}
    fields = [
        _field(code, display, parts[role], key, measured.status, draft)
        for role, code, display in _FIELDS
        if parts[role] and (role != content.FINDING or _describes(root))
    ]
    written = "\n".join(content.lines(root)).encode()
    code = entry_to_concept(item(attributes, content.NAME), context)
    number = accession(attributes, draft)
    report: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "id": resource_id("DiagnosticReport", UID, key),
        "identifier": [*(uid_identifier(uid) for uid in versions), *([number] if number else [])],
        "basedOn": [reference(draft.request)] if draft.request else [],
        "status": status,
        "category": [{"coding": [{"system": f"{V2_TABLE}0074", "code": "RAD", "display": "Radiology"}]}],
        "code": code or {"text": "không rõ"},
        "subject": draft.subject,
        "encounter": reference(draft.encounter) if draft.encounter else {},
        "effectiveDateTime": performed_at,
        "issued": verified_at or _content_at(attributes, draft),
        "performer": authors,
        "resultsInterpreter": readers,
        "result": [*measured.references, *fields],
        "imagingStudy": [reference(draft.study)],
        "conclusion": parts[content.CONCLUSION],
        "conclusionCode": _conclusion_codes(root, draft),
        "presentedForm": [_presented(written, (code or {}).get("text", ""))] if written else [],
    }
    draft.add(compact(report))
    draft.used |= _used(attributes, report)
    _account(root, draft, "mapped", "DiagnosticReport.presentedForm")


def _describes(root: Item) -> bool:
    """Tell whether a report describes in words or codes, and not by its measured values alone."""
    return any(one.type in ("TEXT", "CODE") and one.role == content.FINDING and one.value for one in root.walk())


def _used(attributes: Attributes, report: Resource) -> dict[str, str]:
    """Say where the attributes of a document that became a report went."""
    found = dict.fromkeys((_COMPLETE, _VERIFIED, _PRELIMINARY), "DiagnosticReport.status")
    found[f"{_PREDECESSORS}/00081115/00081199/00081155"] = "DiagnosticReport.identifier"
    if report["resultsInterpreter"]:
        found |= _below(_VERIFIERS, ("0040A075",), "0040A088", "DiagnosticReport.resultsInterpreter")
        found[f"{_VERIFIERS}/0040A030"] = "DiagnosticReport.issued"
    if report["performer"]:
        found |= _below(_AUTHORS, ("0040A123",), "00401101", "DiagnosticReport.performer")
    if report["issued"] and not items(attributes, _VERIFIERS):
        found |= {"00080023": "DiagnosticReport.issued", "00080033": "DiagnosticReport.issued"}
    return found


def _below(sequence: str, tags: tuple[str, ...], coded: str, target: str) -> dict[str, str]:
    parts = ("00080100", "00080102", "00080104")
    return {f"{sequence}/{tag}": target for tag in (*tags, *(f"{coded}/{part}" for part in parts))}


def _verifiers(attributes: Attributes, draft: Draft) -> tuple[list[Element], str]:
    """Give who verified, the newest first, and when that was."""
    found = []
    for one in items(attributes, _VERIFIERS):
        at = draft.stamp(one, "0040A030", f"{_VERIFIERS}/0040A030")
        person = _person(one, "0040A075", item(one, "0040A088"), draft)
        if person:
            found.append((at if "T" in at else "", person))
    found.sort(key=lambda one: one[0], reverse=True)
    return list({one[1]["reference"]: one[1] for one in found}.values()), found[0][0] if found else ""


def _person(attributes: Attributes, tag: str, number: Attributes, draft: Draft) -> Element | None:
    return practitioner(next(iter(values(attributes, tag)), None), number, draft)


def _authors(attributes: Attributes, draft: Draft) -> list[Element]:
    found = (_person(one, "0040A123", item(one, "00401101"), draft) for one in items(attributes, _AUTHORS))
    return unique([one for one in found if one])


def _performed_at(entry: Entry, draft: Draft) -> str:
    """Give when the examination took place: as the study says, else when the document was written."""
    holder = draft.first("00080020")
    return draft.moment(holder, "00080020", "00080030") or _content_at(entry.attributes, draft)


def _content_at(attributes: Attributes, draft: Draft) -> str:
    """Give when a document was written, when it says the time of day."""
    found = draft.moment(attributes, "00080023", "00080033")
    return found if "T" in found else ""


def _field(code: str, display: str, said: str, key: str, status: str, draft: Draft) -> Element:
    """Keep a part of the report as the field that papers read."""
    coding = {"system": draft.context.systems.field, "code": code, "display": display}
    return reference(
        draft.add(
            compact(
                {
                    "resourceType": "Observation",
                    "id": resource_id("Observation", UID, f"{key}|{code}"),
                    "status": status,
                    "category": [IMAGING],
                    "code": {"coding": [coding], "text": display},
                    "subject": draft.subject,
                    "encounter": reference(draft.encounter) if draft.encounter else {},
                    "valueString": said,
                }
            )
        )
    )


def _conclusion_codes(root: Item, draft: Draft) -> list[Element]:
    coded = (one for one in root.walk() if one.type == "CODE" and one.role == content.CONCLUSION and not one.is_beside)
    return [found for one in coded if (found := entry_to_concept(content.code_of(one), draft.context))]


def _presented(written: bytes, title: str) -> Element:
    return compact(
        {
            "contentType": "text/plain",
            "data": b64encode(written).decode("ascii"),
            "size": len(written),
            "hash": b64encode(sha1(written, usedforsecurity=False).digest()).decode("ascii"),
            "title": title,
        }
    )


def _dose(entry: Entry, root: Item, key: str, draft: Draft) -> None:
    """Make Observations of a dose report; it is no report on a picture."""
    status = "preliminary" if text(entry.attributes, _COMPLETE) == "PARTIAL" else "final"
    measured = Measured(key, status, _performed_at(entry, draft), [])
    take_measurements(root, measured, draft, DOSE)
    for one in root.walk():
        is_dose = one.type == "NUM" and one.concept in DOSE
        if one.number == "1" or not (one.value or one.type == "NUM"):
            continue
        told = ("mapped", "Observation.value") if is_dose else ("ignored", DOSE_PARAMETER)
        draft.content.setdefault(_where(one, draft), told)


def _key_objects(root: Item, draft: Draft, study: Resource) -> None:
    """Note with the study which of its pictures were chosen, and as what. Standard: DICOM PS3.16 TID 2010"""
    title = root.name or "Key objects"
    if root.concept in _REJECTIONS:
        draft.notice(faults.REJECTED, "(0040,A043)", root.concept[1])
    described = [one.value for one in root.children if one.type == "TEXT" and one.value]
    chosen = {uid for one in root.children for uid in content.references(one)}
    marked = [
        instance
        for series in study["series"]
        for instance in series["instance"]
        if instance["uid"] in chosen and chosen
    ]
    for instance in marked:
        instance.setdefault("title", title)
    note = f"{title}: {'; '.join(described)}" if described else title
    study.setdefault("note", []).append({"text": f"{note} ({len(chosen)})"})
    for one in root.walk():
        if one.number != "1" and (one.value or one.type in ("IMAGE", "COMPOSITE", "WAVEFORM")):
            used = one.type == "TEXT" or (one.type != "TEXT" and bool(content.references(one)))
            target = "ImagingStudy.note" if one.type == "TEXT" else "ImagingStudy.series.instance.title"
            told = (
                ("mapped", target)
                if used and (one.type == "TEXT" or marked)
                else ("ignored", "who chose the pictures, and how")
            )
            draft.content.setdefault(_where(one, draft), told)


def _account(root: Item, draft: Draft, kind: str, said: str) -> None:
    """Say where every item with a value went; measured ones to their own Observation."""
    for one in root.walk():
        if one.number == "1":
            continue
        where = _where(one, draft)
        if kind == "ignored":
            draft.content.setdefault(where, (kind, said))
        elif one.type == "NUM":
            draft.content.setdefault(where, (kind, "Observation.value"))
        elif one.value or (one.type == "CONTAINER" and one.name):
            draft.content.setdefault(where, (kind, said))
        elif one.type == "CONTAINER":
            draft.content.setdefault(where, ("ignored", "a heading without words"))
        elif one.type in _PLACES:
            draft.content.setdefault(where, ("ignored", _PLACES[one.type]))
        else:
            draft.content.setdefault(where, ("unknown", "no value of its type"))


_PLACES = {
    "IMAGE": "the picture it was seen in; the study holds it",
    "COMPOSITE": "the object it was seen in; the study holds it",
    "WAVEFORM": "the waveform it was seen in; the study holds it",
    "SCOORD": "place within a picture; it is in the object",
    "SCOORD3D": "place within the body; it is in the object",
    "TCOORD": "place within a time; it is in the object",
    "REFERENCE": "points to another item of the document",
    "TABLE": "table of values; it is in the object",
}


def _where(one: Item, draft: Draft) -> str:
    return f"{draft.document}(0040,A730)[{one.number}] {one.type}".rstrip()
