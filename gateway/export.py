"""Give out the whole record of one visit: signed papers, their documents, the form of CV 365, and an index of it all.

    index.json, index.xml       every paper and version: state, hash, signer, time
    papers/PAPER/ID/cda.xml     the signed bytes, as they are in the ledger
    papers/PAPER/ID/fhir.json   the document they were made of
    papers/PAPER/ID/pages.pdf   its pages with the facility's seal, when somebody was given them: those bytes
    papers/PAPER/ID/…           what else there is of it
    emr/HoSoBenhAn.xml, .json   the record in the form of CV 365

Nothing leaves without a basis, and records that touch a closed list only when the receiver may see those by law (promise P10).
Same content, basis and clock give the same bytes. File names hold no patient data; what is inside does, and is not encrypted:
who takes the file keeps it. Requirement: S3.12
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree
from sqlalchemy.engine import Connection, Row

from gateway.clock import to_datetime
from gateway.delivery import disclosure
from gateway.faults import DocumentWithheld, NothingThere
from gateway.records import persons, resources
from gateway.records.versions import opened
from gateway.settings import Plan
from gateway.store import documents
from gateway.store import resources as rows
from mappings import documents as forms
from mappings import emr_export
from mappings.documents import wording
from mappings.formats import json
from mappings.ids import resource_id
from mappings.outcome import Resource

FORMAT = "lienthong-record-export/1"
_NAMES = {"fhir": "fhir.json", "cda": "cda.xml", "gdbhyt": "gdbhyt.xml", "pdf": "pages.pdf"}
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_UNFINISHED = frozenset({"due", "signing", "composed", "proving", "error", "held"})


@dataclass(frozen=True)
class File:
    """One file of an export."""

    path: str
    media_type: str
    body: bytes

    def described(self) -> dict[str, Any]:
        sha256 = hashlib.sha256(self.body).hexdigest()
        return {"path": self.path, "media_type": self.media_type, "size": len(self.body), "sha256": sha256}


@dataclass(frozen=True)
class Export:
    """The record of one visit, opened."""

    encounter: str
    """`Encounter/…`"""
    index: Mapping[str, Any]
    files: Sequence[File]
    hoso: Mapping[str, Any]

    @property
    def signed(self) -> int:
        return sum(paper["state"] == "signed" for paper in self.index["papers"])

    @property
    def waiting(self) -> int:
        """How many papers were due and are not signed."""
        return sum(paper["state"] in _UNFINISHED for paper in self.index["papers"])


@dataclass(frozen=True)
class Visit:
    """A visit that is known, and whose it is."""

    id: str
    patient_id: str


def visit_of(connection: Connection, plan: Plan, number: str) -> Visit:
    """Find a visit by its id or the number the hospital gave it (before MA_LK); raises `NothingThere`."""
    systems = (plan.systems.local(plan.facility.code, "visit"), plan.systems.episode)
    ids = [number.removeprefix("Encounter/"), *(resource_id("Encounter", system, number) for system in systems)]
    owners = {row.id: row.patient_id for row in rows.current(connection, [("Encounter", one) for one in ids])}
    for id_ in ids:
        if owner := owners.get(id_):
            return Visit(id_, owner)
    raise NothingThere("Encounter")


def visit_numbers(connection: Connection, plan: Plan, subjects: Sequence[str]) -> dict[str, str]:
    """Name, by the number the hospital gave it, the visit that each paper is about; what is about no visit is left out."""
    numbers = plan.systems.local(plan.facility.code, "visit"), plan.systems.episode
    bare = {subject: subject.partition("#")[0] for subject in subjects}
    about = _opened(connection, plan, bare.values())
    visits = {
        reference: reference if reference.startswith("Encounter/") else visit_reference(about[reference])
        for reference in about
    }
    about |= _opened(connection, plan, set(visits.values()) - about.keys())
    known = {
        reference: one["value"]
        for reference, resource in about.items()
        for one in reversed(resource.get("identifier", []))
        if one.get("system") in numbers and "value" in one
    }
    return {subject: known[visits[own]] for subject, own in bare.items() if visits.get(own, "") in known}


def _opened(connection: Connection, plan: Plan, references: Iterable[str]) -> dict[str, Resource]:
    keys = [(type_, id_) for type_, _, id_ in (one.partition("/") for one in set(references)) if id_]
    return {f"{row.type}/{row.id}": opened(plan.keyring, row) for row in rows.current(connection, keys)}


def visit_reference(resource: Resource) -> str:
    """Refer to the visit a resource belongs to."""
    context = resource.get("context")
    listed = context.get("encounter", []) if isinstance(context, dict) and "encounter" in context else [context]
    asked = [resource.get("encounter"), *listed, *resource.get("supportingInformation", [])]
    references = [one.get("reference", "") for one in asked if isinstance(one, dict)]
    return next((one for one in references if one.startswith("Encounter/")), "")


def gather(
    connection: Connection,
    plan: Plan,
    visit: Visit,
    *,
    basis: str,
    now: int,
    closed_lists: bool = False,
    told: Callable[[int, int], None] = lambda done, of: None,
) -> Export:
    """Open the record of a visit for somebody who may have it on a basis.

    Raises `DocumentWithheld` when there is no basis, or when the record touches a closed list and the receiver may not by law
    see those (`closed_lists`). `told` hears how many papers are done, of how many.
    """
    if not basis.strip():
        raise DocumentWithheld(detail="no basis")
    record = resources.record(connection, plan.keyring, visit.patient_id)
    withheld = disclosure.closed_list(record, plan.facility.closed_lists)
    if withheld is not None and not closed_lists:
        raise DocumentWithheld(detail=withheld)
    encounter = f"Encounter/{visit.id}"
    hoso = emr_export.visit_to_hoso(encounter, record, plan.paper_context("", to_datetime(now)))
    files = [
        File("emr/HoSoBenhAn.json", "application/json", emr_export.to_json(hoso)),
        File("emr/HoSoBenhAn.xml", "application/xml", emr_export.to_xml(hoso)),
    ]
    index: dict[str, Any] = {
        "format": FORMAT,
        "facility": {"code": plan.facility.code, "name": plan.facility.name},
        "encounter": encounter,
        "exported_at": wording.stamp(to_datetime(now)),
        "basis": basis.strip(),
        "files": [one.described() for one in files],
        "papers": [],
    }
    known = documents.listing(connection, patient_ids=persons.all_ids(connection, visit.patient_id))
    for done, row in enumerate(reversed(known), 1):
        kept = list(_renditions(connection, plan, row))
        if _is_about(row, encounter, kept):
            index["papers"].append(_paper(connection, row, kept))
            files += [file for file, _ in kept]
        told(done, len(known))
    return Export(encounter, index, files, hoso)


def as_zip(export: Export) -> bytes:
    """Pack an export: the index first, then the files by path, all with the same old date."""
    packed = io.BytesIO()
    indexes = [
        File("index.json", "application/json", json.dumps(export.index)),
        File("index.xml", "application/xml", index_to_xml(export.index)),
    ]
    with zipfile.ZipFile(packed, "w") as archive:
        for file in (*indexes, *sorted(export.files, key=lambda one: one.path)):
            entry = zipfile.ZipInfo(file.path, _LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, file.body)
    return packed.getvalue()


def index_to_xml(index: Mapping[str, Any]) -> bytes:
    """Write the index as XML: names as in JSON, a list as repeated elements under the name of one."""
    root = etree.Element("index")
    _append(root, index)
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


_ONE = {"papers": "paper", "files": "file"}


def _append(parent: etree._Element, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, list):
            group = etree.SubElement(parent, name)
            for one in value:
                _append(etree.SubElement(group, _ONE[name]), one)
        elif isinstance(value, Mapping):
            _append(etree.SubElement(parent, name), value)
        elif value is not None:
            etree.SubElement(parent, name).text = str(value).lower() if isinstance(value, bool) else str(value)


def _renditions(connection: Connection, plan: Plan, row: Row[Any]) -> Iterator[tuple[File, Row[Any]]]:
    """Open what there is of a paper; of kinds that are signed only once they are."""
    for kept in documents.renditions(connection, row.id):
        if kept.signed or (kept.kind == "fhir" and row.state == "signed"):
            own, _, renewed = kept.kind.partition("~")
            file, beside, record = own.partition(".")[0], ".s" in own, documents.is_record(kept.kind)
            kind, *of = filter(None, [*re.split("[:@+]", file), renewed])
            name = "-".join([*of, _NAMES.get(kind, kind)]) + ".xades" * beside + ".ers" * record
            body = plan.keyring.open(kept.body, f"{row.id}/{kept.kind}")
            yield File(f"papers/{row.paper}/{row.id}/{name}", kept.media_type, body), kept


def _is_about(row: Row[Any], encounter: str, kept: Sequence[tuple[File, Row[Any]]]) -> bool:
    """Tell whether a paper belongs to a visit: it is about it, or says so."""
    if row.subject == encounter:
        return True
    for file, rendition in kept:
        if rendition.kind == "fhir":
            document: Resource = json.loads(file.body)
            head = document["entry"][0]["resource"]
            said: str = head.get("encounter", {}).get("reference", "")
            return said == encounter
    return False


def _paper(connection: Connection, row: Row[Any], kept: Sequence[tuple[File, Row[Any]]]) -> dict[str, Any]:
    signatures: dict[str, list[Row[Any]]] = {}
    for one in documents.signatures(connection, row.id):
        signatures.setdefault(one.kind, []).append(one)
    return {
        "id": row.id,
        "paper": row.paper,
        "title": forms.title(row.paper) if row.paper in forms.DOCUMENTS else row.paper,
        "subject": row.subject,
        "version": row.version,
        "act": row.act,
        "reason": row.reason,
        "replaces": row.replaces_id,
        "state": row.state,
        "asked_at": _stamp(row.event_at),
        "signed_at": _stamp(row.signed_at),
        "fault": f"LT{row.fault_code:04d}" if row.fault_code and row.state == "error" else None,
        "files": [
            {
                **file.described(),
                "kind": rendition.kind,
                "signed": bool(rendition.signed),
                **_signed(signatures.get(rendition.kind, ()) if rendition.signed else ()),
            }
            for file, rendition in kept
        ],
    }


def _signed(signatures: Sequence[Row[Any]]) -> dict[str, Any]:
    """Tell the last signature, the seal, and when people signed all of them."""
    if not signatures:
        return {}
    told = [
        {
            "signer": one.signer,
            "certificate_sha256": one.certificate_sha256,
            "signed_at": _stamp(one.signed_at),
        }
        for one in signatures
    ]
    if len(told) == 1:
        return {"signature": told[0]}
    roles = [{"role": one.role} for one in signatures]
    return {"signature": told[-1], "signatures": [{**role, **one} for role, one in zip(roles, told, strict=True)]}


def _stamp(instant: int | None) -> str | None:
    return wording.stamp(to_datetime(instant)) if instant else None
