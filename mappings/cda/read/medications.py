"""substanceAdministration and supply of medicines as MedicationStatement, MedicationRequest and MedicationDispense.

Standard: CDA R2 §4.3.6.6, §4.3.6.7
"""

from __future__ import annotations

from mappings.cda.read import own
from mappings.cda.read.codings import cd_to_codeable_concept, ed_to_name, ed_to_text
from mappings.cda.read.datatypes import ids, on_to_text
from mappings.cda.read.dosage import dosage, split_times
from mappings.cda.read.draft import Draft, Place
from mappings.cda.read.elements import Element, compact, concept, shown
from mappings.cda.read.node import Node
from mappings.cda.read.participants import author, informant, locations, performers
from mappings.cda.read.people import organization_to_reference
from mappings.cda.read.quantities import pq_to_quantity
from mappings.cda.read.relations import claim, inner, parts, relate
from mappings.cda.read.times import chosen, ivl_ts_to_period, number, start_of
from mappings.outcome import Resource

INTENTS = {"RQO": "order", "INT": "plan", "PRMS": "plan", "PRP": "proposal", "ARQ": "proposal", "APT": "plan"}
_TAKEN = {
    "active": "active",
    "completed": "completed",
    "aborted": "stopped",
    "cancelled": "stopped",
    "held": "on-hold",
    "suspended": "on-hold",
    "new": "intended",
    "nullified": "entered-in-error",
}
_ASKED = {
    "active": "active",
    "completed": "completed",
    "aborted": "stopped",
    "cancelled": "cancelled",
    "held": "on-hold",
    "suspended": "on-hold",
    "new": "draft",
    "nullified": "entered-in-error",
}
GIVEN = {
    "completed": "completed",
    "active": "in-progress",
    "aborted": "stopped",
    "cancelled": "cancelled",
    "held": "on-hold",
    "suspended": "on-hold",
    "new": "preparation",
    "nullified": "entered-in-error",
}
PRIORITIES = {"R": "routine", "UR": "urgent", "S": "stat", "A": "asap", "EM": "stat", "EL": "routine"}
_INSTRUCTION = "2.16.840.1.113883.10.20.22.4.20"
_CONSENTED = ("Practitioner", "Organization/", "Patient/", "RelatedPerson/")


def substance_administration_to_medication_statement(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the MedicationStatement of a medicine that somebody takes or took (EVN)."""
    numbers = ids(node)
    period, timed = split_times(node, draft)
    who, moment = author(node, draft)
    told = informant(node, draft)
    status = node.first("statusCode", "status")["code"]
    state = _TAKEN.get(status, "unknown") if status else "unknown"
    for performer, _, _ in performers(node, draft):
        performer.give_up("who gave a medicine, in a statement that it is taken")
    source = told or who
    made: Resource = {
        "resourceType": "MedicationStatement",
        "id": draft.known("MedicationStatement", numbers, node),
        "identifier": numbers,
        "status": "not-taken" if node["negationInd"] == "true" else state,
        **medication(node, draft, place),
        "subject": draft.subject,
        **_effective(period, draft),
        "dateAsserted": moment,
        "informationSource": {"reference": source} if source.startswith(_CONSENTED) else None,
        "dosage": dosage(node, timed, draft),
    }
    return _kept(node, made, "dosage", draft, place)


def _effective(period: Node | None, draft: Draft) -> Element:
    return chosen("effective", period, draft) if period is not None else {}


def substance_administration_to_medication_request(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the MedicationRequest of a medicine that is ordered, planned or proposed (RQO, INT, PRP, PRMS)."""
    numbers = ids(node)
    period, timed = split_times(node, draft)
    who, moment = author(node, draft, device=True)
    status = node.first("statusCode", "status")["code"]
    priority = node.first("priorityCode", "priority")
    requested = _dispense_request(node, draft)
    bounds = ivl_ts_to_period(period, draft) if period is not None else {}
    for performer, _, _ in performers(node, draft):
        performer.give_up("who shall give a medicine; FHIR R4 names who dispenses it")
    made: Resource = {
        "resourceType": "MedicationRequest",
        "id": draft.known("MedicationRequest", numbers, node),
        "identifier": numbers,
        "status": _ASKED.get(status, "unknown") if status else "unknown",
        "intent": INTENTS.get(node.peek("moodCode"), "plan"),
        "priority": _priority(priority),
        "doNotPerform": True if node["negationInd"] == "true" else None,
        **medication(node, draft, place),
        "subject": draft.subject,
        "authoredOn": moment,
        "requester": {"reference": who} if who else None,
        "dosageInstruction": dosage(node, timed, draft, bounds),
        "dispenseRequest": requested,
    }
    return _kept(node, made, "dosageInstruction", draft, place)


def _priority(code: Node) -> str:
    rank = PRIORITIES.get(code["code"], "")
    if rank:
        code.take("codeSystem", "codeSystemName", "displayName")
    else:
        code.give_back("code")
    return rank


def _kept(node: Node, made: Resource, doses: str, draft: Draft, place: Place) -> list[str]:
    said = instruction(node, draft)
    if said:
        made[doses] = made[doses] or [{}]
        made[doses][0]["patientInstruction"] = said
    for relation, statement in list(parts(node)):
        if (
            statement.name == "substanceAdministration"
            and not statement.first("id")
            and relation.first("sequenceNumber")
        ):
            _, times = split_times(statement, draft)
            told = instruction(statement, draft)
            found = dosage(statement, [*([_] if _ is not None else []), *times], draft)
            further = {**(found[0] if found else {}), **({"patientInstruction": told} if told else {})}
            if further:
                made[doses] = [*made[doses], further]
                claim(relation, statement)
                relation.first("sequenceNumber").take("value")
                statement.path = doses
                for part in (statement.first("consumable"), relation.first("sequenceNumber")):
                    part.pass_over("of the medicine around it")
                own.take_elements(statement, made, draft)
    made = compact(made)
    node.take("classCode", "moodCode")
    reference = draft.add(made, node, place)
    return [reference, *relate(node, made, draft, place)]


def instruction(node: Node, draft: Draft) -> str:
    """Give the words to the patient that stand inside a statement."""
    found = inner(node, ("PINSTRUCT",), (_INSTRUCTION, "2.16.840.1.113883.10.20.1.49"))
    if not found:
        return ""
    found.path = "patientInstruction"
    code = found.first("code")
    kind = cd_to_codeable_concept(code, draft) if code else None
    said = ed_to_text(found.first("text"), draft)
    for one in found.all("id"):
        one.leave("the number of an instruction; FHIR R4 has none")
    return said or shown(kind)


def medication(node: Node, draft: Draft, place: Place, name: str = "consumable") -> Element:
    """Make `medication[x]`: a code, or a Medication when batch, manufacturer or number are said too."""
    product = node.first(name, "medication").first("manufacturedProduct")
    material = product.first("manufacturedMaterial") or product.first("manufacturedLabeledDrug")
    product.take("classCode")
    code = material.first("code")
    what = cd_to_codeable_concept(code, draft) if code else None
    called = on_to_text(material)
    if what is None and called:
        what = {"text": called}
    elif what is not None and called and called not in str(what):
        what["text"] = f"{what['text']} · {called}" if "text" in what else called
    if what is None:
        said = ed_to_name(node.first("text"), draft)
        what = {"text": said} if said else concept("data-absent-reason", "unknown")
    numbers = ids(product)
    batch = material.first("lotNumberText").all_said()
    mine = own.kind_of(product) == "Medication"
    organization = product.first("manufacturerOrganization")
    maker = organization_to_reference(organization, draft) if organization else ""
    if not (batch or maker or numbers or mine):
        return {"medicationCodeableConcept": what}
    made: Resource = compact(
        {
            "resourceType": "Medication",
            "id": draft.known("Medication", [], product),
            "identifier": numbers,
            "code": what,
            "manufacturer": {"reference": maker} if maker else None,
            "batch": {"lotNumber": batch} if batch else None,
        }
    )
    if mine:
        own.take_elements(node, made, draft)
    reference = draft.tell(made) if mine else draft.add(made, product, place)
    product.becomes(reference)
    for part, path in ((material, "code"), (material.first("lotNumberText"), "batch"), (code, "code")):
        part.path = path
    return {"medicationReference": {"reference": reference}}


def _dispense_request(node: Node, draft: Draft) -> Element:
    """Merge what shall be dispensed, when a supply inside says so without a number of its own."""
    for relation, statement in list(parts(node)):
        if statement.name != "supply" or statement.peek("moodCode") not in ("RQO", "INT") or statement.first("id"):
            continue
        if statement.first("product") or statement.first("author"):
            continue
        claim(relation, statement)
        statement.path = "dispenseRequest"
        return supplied(statement, draft)
    return {}


def supplied(supply: Node, draft: Draft) -> Element:
    """Make dispenseRequest of a supply: how much, how often, until when, by whom.

    `repeatNumber` counts all fills, FHIR those after the first.
    """
    quantity = pq_to_quantity(supply.first("quantity"))
    repeats = number(supply.first("repeatNumber"))
    period = ivl_ts_to_period(supply.first("effectiveTime"), draft)
    duration = pq_to_quantity(supply.first("expectedUseTime").first("width"))
    whole = int(repeats) - 1 if repeats is not None and repeats == int(repeats) and 1 <= repeats < 1000 else None
    pharmacies = [one for _, one, _ in performers(supply, draft) if one.startswith("Organization/")]
    return compact(
        {
            "performer": {"reference": pharmacies[0]} if pharmacies else None,
            "validityPeriod": period,
            "numberOfRepeatsAllowed": whole,
            "quantity": quantity,
            "expectedSupplyDuration": duration if duration and duration.get("code") else None,
        }
    )


def supply_to_medication_request(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the MedicationRequest of a medicine that shall be dispensed."""
    numbers = ids(node)
    who, moment = author(node, draft, device=True)
    status = node.first("statusCode", "status")["code"]
    request = supplied(node, draft)
    made: Resource = {
        "resourceType": "MedicationRequest",
        "id": draft.known("MedicationRequest", numbers, node),
        "identifier": numbers,
        "status": _ASKED.get(status, "unknown") if status else "unknown",
        "intent": INTENTS.get(node.peek("moodCode"), "plan"),
        **_medicine(node, draft, place),
        "subject": draft.subject,
        "authoredOn": moment,
        "requester": {"reference": who} if who else None,
        "dispenseRequest": request,
        "dosageInstruction": [],
    }
    for name in ("effectiveTime", "quantity", "repeatNumber", "expectedUseTime"):
        node.first(name, "dispenseRequest")
    return _kept(node, made, "dosageInstruction", draft, place)


def _medicine(node: Node, draft: Draft, place: Place) -> Element:
    """Give the medicine of a supply: its own product, else that of the statement around it."""
    if node.first("product"):
        return medication(node, draft, place, "product")
    above = node.parent.parent if node.parent else None
    if above and above.name == "substanceAdministration":
        code = above.down("consumable", "manufacturedProduct", "manufacturedMaterial", "code")
        what = cd_to_codeable_concept(code, draft) if code else None
        if what:
            return {"medicationCodeableConcept": what}
    return {"medicationCodeableConcept": concept("data-absent-reason", "unknown")}


def supply_to_medication_dispense(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the MedicationDispense of a medicine that was handed over (EVN)."""
    numbers = ids(node)
    status = node.first("statusCode", "status")["code"]
    handed = start_of(node.first("effectiveTime", "whenHandedOver"), draft)
    members = [{"actor": {"reference": who}} for _, who, _ in performers(node, draft)]
    repeat = node.first("repeatNumber")
    repeat.leave("which of several fills this is; FHIR R4 counts what is allowed")
    who, _ = author(node, draft)
    if who and {"actor": {"reference": who}} not in members:
        members.append({"actor": {"reference": who}})
    made: Resource = {
        "resourceType": "MedicationDispense",
        "id": draft.known("MedicationDispense", numbers, node),
        "identifier": numbers,
        "status": GIVEN.get(status, "unknown") if status else "unknown",
        **_medicine(node, draft, place),
        "subject": draft.subject,
        "performer": members,
        "quantity": pq_to_quantity(node.first("quantity", "quantity")),
        "daysSupply": pq_to_quantity(node.first("expectedUseTime", "daysSupply").first("width")),
        "whenHandedOver": handed,
        "dosageInstruction": [],
    }
    places = locations(node, draft)
    if places:
        made["location"] = {"reference": places[0]}
    if made["status"] == "completed" and not handed:
        made["status"] = "unknown" if not status else "completed"
    return _kept(node, made, "dosageInstruction", draft, place)
