"""Read CDA R2 documents of others, and our own, as FHIR R4 with an account of every fact.

Structure goes by the classes, moods and codes of CDA; template ids of C-CDA are hints where a document has them. Does not
check a document against the schema, nor a signature in it.

Requirement: S1.3
"""

from __future__ import annotations

from lxml import etree

from mappings.cda import faults
from mappings.cda.read.context import Context
from mappings.cda.read.draft import Draft
from mappings.cda.read.header import document_number, header_to_composition, provenance
from mappings.cda.read.node import V3, coverage, refused, tree
from mappings.cda.read.own import close_references
from mappings.cda.read.patient import record_target_to_patient
from mappings.cda.read.relations import settle
from mappings.cda.read.sections import body_to_sections, show_narratives
from mappings.fhir import require_valid
from mappings.formats import safe_xml
from mappings.formats.faults import Fault, XmlRefused
from mappings.ids import resource_id
from mappings.outcome import Coverage, Reading, Resource

__all__ = ["Context", "Reading", "read", "unread"]

_ROOT = f"{{{V3}}}ClinicalDocument"
_UNNAMED = "ClinicalDocument"
_DEEPEST = 160


def read(xml: bytes, context: Context | None = None) -> Reading:
    """Make the document Bundle of a CDA document: sound resources whose references resolve inside it.

    A collection when the document has no time of day, which a FHIR document needs. One that does not say whose it is has header
    and narratives, without a subject, no statement, and the fault `PatientMissing` in the result. Raises `XmlRefused`,
    `EncodingWrong`, `DocumentTooLarge`, `NotClinicalDocument`, `OtherPatient`.
    """
    context = context or Context()
    root = _parsed(xml, context)
    draft = Draft(tree(root), xml, context)
    if root.tag != _ROOT:
        draft.notice(faults.NAMESPACE_MISSING, draft.root.where())
    document_number(draft)
    fault: Fault | None = None
    try:
        record_target_to_patient(draft)
    except faults.PatientMissing as missing:
        fault = missing
    composition = header_to_composition(draft)
    show_narratives(draft)
    sections = body_to_sections(draft)
    settle(draft)
    close_references(draft)
    if sections:
        composition["section"] = sections
    draft.root.becomes(f"Composition/{composition['id']}")
    draft.root.take("classCode", "moodCode")
    source = provenance(draft, composition)
    bundle = _bundle(draft, composition, source)
    require_valid(bundle)
    return Reading(
        bundle=bundle,
        coverage=coverage(draft.root, draft.shown),
        notices=tuple(draft.notices),
        patient_id=draft.patient.partition("/")[2] or None,
        encounter_id=draft.encounter.partition("/")[2] or None,
        fault=fault,
    )


def unread(xml: bytes, context: Context | None = None) -> Coverage:
    """Account for a document that `read` refused: every fact of it unknown; nothing where no facts could be told apart."""
    try:
        return refused(tree(safe_xml.parse(xml, max_size=(context or Context()).max_size, max_depth=_DEEPEST)))
    except Fault:
        return Coverage()


def _parsed(xml: bytes, context: Context) -> etree._Element:
    if len(xml) > context.max_size:
        raise faults.DocumentTooLarge("", f"more than {context.max_size} bytes")
    try:
        root = safe_xml.parse(xml, max_size=context.max_size, max_depth=_DEEPEST)
    except XmlRefused as refused:
        if refused.detail in safe_xml.WRONG_CHARSET:
            raise faults.EncodingWrong(refused.where, refused.detail) from None
        raise
    if root.tag not in (_ROOT, _UNNAMED):
        raise faults.NotClinicalDocument(f"/{_plain(root.tag)}", _kind(str(root.tag)))
    return root


def _plain(tag: object) -> str:
    name = str(tag).rpartition("}")[2]
    return name if name.replace("_", "").isalnum() and name.isascii() and len(name) <= 64 else "*"


def _kind(tag: str) -> str:
    space, _, name = tag[1:].rpartition("}") if tag.startswith("{") else ("", "", tag)
    if name == "ClinicalDocument":
        return "ClinicalDocument in another namespace than urn:hl7-org:v3"
    if space == V3:
        return "an HL7 v3 message or fragment, not a document"
    if space == "http://hl7.org/fhir":
        return "FHIR in XML"
    return "another kind of document"


def _bundle(draft: Draft, composition: Resource, source: Resource) -> Resource:
    base = draft.context.systems.own
    system, value = draft.number["system"], draft.number["value"]
    whole = "T" in draft.dated
    bundle: Resource = {
        "resourceType": "Bundle",
        "id": resource_id("Bundle", system, value),
        "identifier": {"system": system, "value": value},
        "type": "document" if whole else "collection",
    }
    if whole:
        bundle["timestamp"] = draft.dated
    bundle["entry"] = [
        {"fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}", "resource": resource}
        for resource in (composition, *draft.resources.values(), source)
    ]
    return bundle
