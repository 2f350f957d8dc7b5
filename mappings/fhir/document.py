"""Take FHIR documents of others: a Bundle of type document, in JSON, sound by our tables, about the right person.

What our tables do not know is taken out and told, whatever else is wrong refuses the document. Does not read XML, nor check a
signature.

Standard: FHIR R4 §3.3
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any

from mappings.cda.faults import DocumentTooLarge, NotClinicalDocument, OtherPatient, PatientMissing
from mappings.cda.read.context import Context
from mappings.cda.read.node import REFUSED
from mappings.fhir.check import problems
from mappings.fhir.faults import ResourceInvalid
from mappings.fhir.references import bundle_references
from mappings.fhir.tables import load
from mappings.formats import json
from mappings.formats.faults import Fault, JsonInvalid
from mappings.outcome import Coverage, Reading, Resource

NO_ELEMENT = "no element of FHIR R4"
MODIFIER = "changes what the element means, and nobody here knows how"
RULES = "rules that the sender says are needed to understand the document"
DEEPEST = 100
_STEP = re.compile(r"(?P<name>[^.\[\]]+)(?:\[(?P<at>\d+)\])?")


def read(data: bytes, context: Context | None = None) -> Reading:
    """Check a document Bundle and give it as it is, without what FHIR R4 does not know.

    One whose Composition is about no Patient of the Bundle has the fault `PatientMissing` in the result. Raises
    `DocumentTooLarge`, `JsonInvalid`, `NotClinicalDocument`, `ResourceInvalid`, `OtherPatient`.
    """
    context = context or Context()
    bundle = _parsed(data, context)
    _must_be_document(bundle)
    leaves = list(_leaves(bundle, "Bundle"))
    strange = _without_strange_elements(bundle)
    wrong = problems(bundle) or bundle_references(bundle)
    if wrong:
        raise ResourceInvalid(wrong)
    patient = _patient(bundle)
    if patient:
        _expect(patient, context)
    encounter = bundle["entry"][0]["resource"].get("encounter", {}).get("reference", "")
    return Reading(
        bundle=bundle,
        coverage=_coverage(leaves, strange),
        patient_id=patient.get("id"),
        encounter_id=_resolve(bundle, encounter).get("id") if encounter else None,
        fault=None if patient else PatientMissing("Bundle.entry[0].resource.ofType(Composition).subject"),
    )


def unread(data: bytes, context: Context | None = None) -> Coverage:
    """Account for a document that `read` refused: every fact of it unknown; nothing where no facts could be told apart."""
    try:
        content = _parsed(data, context or Context())
    except Fault:
        return Coverage()
    return Coverage(unknown=dict.fromkeys(_leaves(content, "Bundle" if _is_bundle(content) else "$"), REFUSED))


def _is_bundle(content: Any) -> bool:
    return isinstance(content, dict) and content.get("resourceType") == "Bundle"


def _parsed(data: bytes, context: Context) -> Any:
    if len(data) > context.max_size:
        raise DocumentTooLarge("", f"more than {context.max_size} bytes")
    content = json.loads(data.removeprefix(BOM_UTF8))
    if _depth(content) > DEEPEST:
        raise JsonInvalid("", "nested too deeply")
    return content


def _must_be_document(bundle: Any) -> None:
    if not isinstance(bundle, dict):
        raise NotClinicalDocument("", "JSON without an object")
    kind = bundle.get("resourceType")
    if kind != "Bundle":
        known = isinstance(kind, str) and kind in load().resources
        raise NotClinicalDocument("", f"a FHIR resource {kind}" if known else "JSON that is not FHIR R4")
    if bundle.get("type") != "document":
        said = bundle.get("type")
        word = said if isinstance(said, str) and said.replace("-", "").isalpha() and len(said) < 30 else "?"
        raise NotClinicalDocument("Bundle.type", f"a FHIR Bundle of type {word}")
    entries = bundle.get("entry")
    first = entries[0] if isinstance(entries, list) and entries else {}
    resource = first.get("resource") if isinstance(first, dict) else {}
    if not isinstance(resource, dict) or resource.get("resourceType") != "Composition":
        raise NotClinicalDocument("Bundle.entry[0].resource", "a FHIR Bundle without a Composition at its head")


def _depth(value: Any) -> int:
    """Count how deep objects and lists are nested, without recursion; stops above the limit."""
    level, depth = [value], 0
    while level and depth <= DEEPEST:
        level = [
            below
            for one in level
            for below in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
            if isinstance(below, (dict, list))
        ]
        depth += 1
    return depth


def _without_strange_elements(bundle: Resource) -> list[str]:
    """Take out the elements that our tables do not know, and give their paths."""
    strange = [problem.path for problem in problems(bundle) if problem.rule == "unknown-element"]
    taken = []
    for path in strange:
        holder, _, name = path.rpartition(".")
        owner = _at(bundle, holder)
        if isinstance(owner, dict) and name in owner:
            taken.append((owner, name))
    for owner, name in taken:
        owner.pop(name, None)
    return strange


def _at(bundle: Resource, path: str) -> Any:
    """Find what stands at a path as `Problem` writes it."""
    value: Any = bundle
    for step in re.split(r"\.(?![^()]*\))", path)[1:]:
        if step.startswith("ofType("):
            continue
        match = _STEP.fullmatch(step)
        if match is None or not isinstance(value, dict) or match["name"] not in value:
            return None
        value = value[match["name"]]
        if match["at"] is not None:
            value = value[int(match["at"])] if isinstance(value, list) and int(match["at"]) < len(value) else None
    return value


def _leaves(value: Any, path: str) -> Iterator[str]:
    """Give the path of every value, in the order of the document."""
    if isinstance(value, dict):
        kind = value.get("resourceType")
        inner = f"{path}.ofType({kind})" if isinstance(kind, str) and path != "Bundle" else path
        for name, below in value.items():
            if name != "resourceType":
                yield from _leaves(below, f"{inner}.{name}")
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _leaves(below, f"{path}[{index}]")
    elif value is not None:
        yield path


def _coverage(leaves: list[str], strange: list[str]) -> Coverage:
    mapped: dict[str, str] = {}
    unknown: dict[str, str] = {}
    prefixes = tuple(f"{path}{mark}" for path in strange for mark in (".", "["))
    outside = frozenset(strange)
    for leaf in leaves:
        if leaf in outside or (prefixes and leaf.startswith(prefixes)):
            unknown[leaf] = NO_ELEMENT
        elif ".modifierExtension[" in leaf:
            unknown[leaf] = MODIFIER
        elif leaf.endswith(".implicitRules"):
            unknown[leaf] = RULES
        else:
            mapped[leaf] = leaf
    return Coverage(mapped=mapped, unknown=unknown)


def _patient(bundle: Resource) -> Resource:
    subject = bundle["entry"][0]["resource"].get("subject", {})
    patient = _resolve(bundle, subject.get("reference", ""))
    return patient if patient.get("resourceType") == "Patient" else {}


def _resolve(bundle: Resource, reference: str) -> Resource:
    for entry in bundle["entry"]:
        resource: Resource = entry.get("resource", {})
        url = entry.get("fullUrl", "")
        here = f"{resource.get('resourceType')}/{resource.get('id')}"
        if reference and (reference in (url, here) or url.endswith(f"/{reference}")):
            return resource
    return {}


def _expect(patient: Resource, context: Context) -> None:
    numbers = {(one.get("system", ""), one.get("value", "")) for one in patient.get("identifier", [])}
    if context.expect_patient and not numbers & set(context.expect_patient):
        raise OtherPatient("Bundle.entry.resource.ofType(Patient).identifier")
