"""Vaccinations as Immunization.

Standard: CDA R2 §4.3.6.6; C-CDA R2.1 Immunization Activity, whose codes are hints where a document has them
"""

from __future__ import annotations

from mappings.cda.read.codings import cd_to_codeable_concept, ed_to_name, ed_to_text
from mappings.cda.read.datatypes import ids, on_to_text
from mappings.cda.read.dosage import dose_quantity
from mappings.cda.read.draft import Draft, Place
from mappings.cda.read.elements import Element, compact, concept
from mappings.cda.read.medications import instruction
from mappings.cda.read.node import NOTHING, Node
from mappings.cda.read.participants import authors, locations, performers
from mappings.cda.read.people import organization_to_reference
from mappings.cda.read.relations import claim, inner, parts, relate
from mappings.cda.read.times import number, start_of
from mappings.outcome import Resource

SECTION = "11369-6"
TEMPLATES = frozenset({"2.16.840.1.113883.10.20.22.4.52", "2.16.840.1.113883.10.20.22.4.120"})
_CODE = "IMMUNIZ"
_ACTORS = ("Practitioner/", "Organization/")


def is_vaccination(node: Node, place: Place) -> bool:
    """Tell whether a substance is given to immunise."""
    if any(one.peek("root") in TEMPLATES for one in node.all("templateId")):
        return True
    return place.section == SECTION or node.first("code").peek("code") in (_CODE, "INITIMMUNIZ", "BOOSTER")


def substance_administration_to_immunization(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the Immunization of a vaccine that was given, or that was not (negationInd), with the reason."""
    numbers = ids(node)
    product = node.first("consumable", "vaccineCode").first("manufacturedProduct")
    material = product.first("manufacturedMaterial") or product.first("manufacturedLabeledDrug")
    product.take("classCode")
    code = material.first("code")
    what = cd_to_codeable_concept(code, draft) if code else None
    called = on_to_text(material)
    if what is None:
        said = called or ed_to_name(node.first("text"), draft)
        what = {"text": said} if said else concept("data-absent-reason", "unknown")
    for one in product.all("id"):
        one.leave("the number of a product; Immunization has none")
    organization = product.first("manufacturerOrganization")
    maker = organization_to_reference(organization, draft) if organization else ""
    status = node.first("statusCode", "status")["code"]
    refused = node["negationInd"] == "true" or status in ("aborted", "cancelled")
    node.first("code").take("code", "codeSystem", "codeSystemName", "displayName", "nullFlavor")
    time = node.first("effectiveTime", "occurrence")
    occurred = start_of(time, draft)
    route, site = node.first("routeCode", "route"), node.first("approachSiteCode", "site")
    places = locations(node, draft)
    dose = dose_quantity(node)
    made: Resource = {
        "resourceType": "Immunization",
        "id": draft.known("Immunization", numbers, node),
        "identifier": numbers,
        "status": "entered-in-error" if status == "nullified" else "not-done" if refused else "completed",
        "statusReason": _reason(node, draft) if refused else None,
        "vaccineCode": what,
        "patient": draft.subject,
        "occurrenceDateTime": occurred,
        "location": {"reference": places[0]} if places else None,
        "manufacturer": {"reference": maker} if maker else None,
        "lotNumber": material.first("lotNumberText", "lotNumber").all_said(),
        "site": cd_to_codeable_concept(site, draft) if site else None,
        "route": cd_to_codeable_concept(route, draft) if route else None,
        "doseQuantity": dose,
        "performer": _performers(node, draft),
        "protocolApplied": _series(node),
    }
    if not occurred:
        made["occurrenceString"] = "không rõ"
    _recorded(node, made, draft)
    told = instruction(node, draft)
    if told:
        made["note"] = [{"text": told}]
    text = node.first("text")
    said = ed_to_text(text, draft)
    text.path = "Composition.section.text"
    if said and text.words:
        made.setdefault("note", []).append({"text": said})
        text.path = "note"
    made = compact(made)
    node.take("classCode", "moodCode")
    reference = draft.add(made, node, place)
    return [reference, *relate(node, made, draft, place)]


def _performers(node: Node, draft: Draft) -> list[Element]:
    return [
        compact(
            {"function": function or concept("v2-0443", "AP", "Administering Provider"), "actor": {"reference": who}}
        )
        for _, who, function in performers(node, draft)
        if who.startswith(_ACTORS)
    ]


def _recorded(node: Node, made: Resource, draft: Draft) -> None:
    for who, moment in authors(node, draft, "performer"):
        made.setdefault("recorded", moment)
        entry = {"function": concept("v2-0443", "EP", "Entering Provider (probably not the same as transcriptionist?)")}
        if who.startswith(_ACTORS):
            made["performer"] = [*made["performer"], {**entry, "actor": {"reference": who}}]


def _series(node: Node) -> list[Element]:
    """Make protocolApplied: which dose of a series it is."""
    said = inner(node, ("30973-2",), ("2.16.840.1.113883.10.20.1.46",))
    value = said.first("value") if said else node.first("repeatNumber", "protocolApplied")
    found = number(value) if value else None
    if said:
        said.path = "protocolApplied"
    if found is None:
        sequence = next((relation.first("sequenceNumber") for relation in node.all("entryRelationship")), NOTHING)
        found = number(sequence) if sequence else None
        sequence.path = "protocolApplied"
    return (
        [{"doseNumberPositiveInt": int(found)}] if found is not None and found == int(found) and 0 < found < 100 else []
    )


def _reason(node: Node, draft: Draft) -> Element | None:
    """Give why a vaccine was not given."""
    refusal = inner(node, (), ("2.16.840.1.113883.10.20.22.4.53",))
    if refusal:
        refusal.path = "statusReason"
        for one in refusal.all("id"):
            one.leave("the number of a reason; FHIR R4 has none")
        return cd_to_codeable_concept(refusal.first("code"), draft)
    for relation, statement in list(parts(node)):
        if relation.peek("typeCode") == "RSON" and statement.name == "observation":
            code, value = statement.first("code"), statement.first("value")
            found = cd_to_codeable_concept(value if value.peek("code") else code, draft)
            if found:
                claim(relation, statement)
                statement.path = "statusReason"
                return found
    return None
