"""The header of a document as Composition, Encounter, Provenance and those who took part.

Standard: CDA R2 §4.2
"""

from __future__ import annotations

from collections.abc import Iterator

from mappings.cda.read.codings import cd_to_codeable_concept, cd_to_coding, language
from mappings.cda.read.datatypes import ids, ii_to_identifier
from mappings.cda.read.draft import Draft
from mappings.cda.read.elements import Element, absent, compact, concept, first_coding, shown
from mappings.cda.read.encounters import encompassing_encounter_to_encounter
from mappings.cda.read.node import Node
from mappings.cda.read.participants import header_participants
from mappings.cda.read.people import assigned_to_reference, organization_to_reference, related_to_reference
from mappings.cda.read.times import chosen, ivl_ts_to_period, ts_to_datetime
from mappings.ids import resource_id
from mappings.outcome import Resource

VERSION = "http://hl7.org/fhir/StructureDefinition/composition-clinicaldocument-versionNumber"
_RELATIONS = {"RPLC": "replaces", "APND": "appends", "XFRM": "transforms"}
_CONFIDENTIALITY = frozenset("LMNRUV")


def document_number(draft: Draft) -> None:
    """Find by what number the document is known: its id, else its bytes."""
    node = draft.root.first("id")
    found = ii_to_identifier(node) if node else None
    if found is None or "system" not in found:
        draft.number = {"system": "urn:ietf:rfc:3986", "value": f"urn:sha256:{draft.fingerprint.hexdigest()}"}
    else:
        draft.number = found
    node.path = "Bundle.identifier"
    draft.dated = ts_to_datetime(draft.root.first("effectiveTime", "Composition.date"), draft)


def header_to_composition(draft: Draft) -> Resource:
    """Make the Composition without its sections."""
    root = draft.root
    title = root.first("title", "Composition.title").all_said()
    code = root.first("code", "Composition.type")
    kind = cd_to_codeable_concept(code, draft) if code else None
    draft.authors = [who for node in root.all("author") if (who := _author(node, draft))]
    secret = root.first("confidentialityCode", "Composition.confidentiality")
    rank = (cd_to_coding(secret) or {}).get("code", "")
    if rank and rank not in _CONFIDENTIALITY:
        secret.give_back("code")
    composition = compact(
        {
            "resourceType": "Composition",
            "id": resource_id("Composition", draft.number["system"], draft.number["value"]),
            "language": language(root.first("languageCode", "Composition.language"))
            if root.first("languageCode")
            else "",
            "status": "final",
            "type": kind or {"text": title or "CDA"},
            "subject": draft.subject,
            "encounter": _encounter(draft),
            "date": draft.dated,
            "author": [{"reference": one} for one in dict.fromkeys(draft.authors)] or [absent()],
            "title": title or _named(kind),
            "confidentiality": rank if rank in _CONFIDENTIALITY else "",
            "attester": list(_attesters(draft)),
            "relatesTo": list(_relations(draft)),
            "event": list(_events(draft)),
        }
    )
    _version(root, composition)
    if not draft.dated:
        composition["_date"] = absent(root.first("effectiveTime").peek("nullFlavor"))
    custodian = root.down("custodian", "assignedCustodian", "representedCustodianOrganization")
    keeper = organization_to_reference(custodian, draft) if custodian else ""
    if keeper:
        composition["custodian"] = {"reference": keeper}
    status = root.first("sdtc:statusCode", "Composition.status")
    if status["code"] in ("active", "new"):
        composition["status"] = "preliminary"
    elif status["code"] == "nullified":
        composition["status"] = "entered-in-error"
    detail = [{"reference": one} for one in (*header_participants(draft), *_orders(draft))]
    if detail:
        events = composition.setdefault("event", [])
        events.append({"detail": detail})
    return composition


def _named(kind: Element | None) -> str:
    return shown(kind) or first_coding(kind).get("code") or "CDA"


def _author(node: Node, draft: Draft) -> str:
    time = node.first("time")
    who = assigned_to_reference(node.first("assignedAuthor"), draft)
    code = node.first("functionCode")
    code.leave("the function of an author; FHIR R4 has no element for it")
    moment = ts_to_datetime(time, draft)
    if draft.written and moment and moment != draft.written:
        time.give_back("value", "when one of several authors contributed")
    draft.written = draft.written or moment
    time.path = "Provenance.occurred"
    return who


def _version(root: Node, composition: Resource) -> None:
    series = root.first("setId", "Composition.identifier")
    found = ii_to_identifier(series) if series else None
    if found:
        composition["identifier"] = found
    number = root.first("versionNumber", "Composition.extension(versionNumber)")["value"]
    if number:
        composition["extension"] = [{"url": VERSION, "valueString": number}]


def _encounter(draft: Draft) -> Element:
    visit = draft.root.down("componentOf", "encompassingEncounter")
    if visit:
        draft.encounter = encompassing_encounter_to_encounter(visit, draft)
    return {"reference": draft.encounter} if draft.encounter else {}


def _attesters(draft: Draft) -> Iterator[Element]:
    for name, mode in (("authenticator", "professional"), ("legalAuthenticator", "legal")):
        for node in draft.root.all(name):
            who = assigned_to_reference(node.first("assignedEntity"), draft)
            node.first("signatureCode").take("code")
            node.first("sdtc:signatureText").leave(
                "a signature within the document; it is checked on the bytes as received"
            )
            moment = ts_to_datetime(node.first("time"), draft)
            for part in (node.first("time"), node.first("signatureCode")):
                part.path = "Composition.attester"
            party = {"reference": who} if who and not who.startswith("Device/") else None
            yield compact({"mode": mode, "time": moment, "party": party})


def _relations(draft: Draft) -> Iterator[Element]:
    for node in draft.root.all("relatedDocument", "Composition.relatesTo"):
        code = _RELATIONS.get(node["typeCode"], "")
        parent = node.first("parentDocument")
        found = ids(parent, "")
        if not code or not found:
            node.give_back("typeCode")
            continue
        for number in found[:1]:
            yield {"code": code, "targetIdentifier": number}
        for name in ("setId", "versionNumber", "code", "text"):
            parent.first(name).leave("about the document that this one relates to; its id is kept")


def _events(draft: Draft) -> Iterator[Element]:
    for node in draft.root.all("documentationOf"):
        service = node.first("serviceEvent")
        service.becomes("Composition", "event")
        code = service.first("code")
        what = cd_to_codeable_concept(code, draft) if code else None
        numbered = [{"identifier": number} for number in ids(service, "event.detail")]
        period = ivl_ts_to_period(service.first("effectiveTime"), draft)
        team = list(_team(service, draft))
        found = compact({"code": [what] if what else [], "period": period, "detail": [*team, *numbered]})
        if found:
            service.take("classCode")
            yield found


def _team(service: Node, draft: Draft) -> Iterator[Element]:
    """Make the CareTeam of who performed what is documented: role, member, period."""
    members: list[Element] = []
    for performer in service.all("performer"):
        who = assigned_to_reference(performer.first("assignedEntity"), draft)
        if not who:
            continue
        performer.take("typeCode")
        code = performer.first("functionCode")
        role = cd_to_codeable_concept(code, draft) if code else None
        period = chosen("", performer.first("time"), draft)
        moment = period.get("DateTime")
        when = {"start": moment, "end": moment} if moment else period.get("Period")
        members.append(compact({"role": [role] if role else [], "member": {"reference": who}, "period": when}))
        for part in (performer, code, performer.first("time")):
            part.path = "CareTeam.participant"
    if members:
        team: Resource = compact(
            {
                "resourceType": "CareTeam",
                "id": draft.placed("CareTeam", service),
                "status": "active",
                "subject": draft.subject,
                "participant": members,
            }
        )
        yield {"reference": draft.tell(team)}


def _orders(draft: Draft) -> Iterator[str]:
    """Name the orders that the document answers."""
    for node in draft.root.all("inFulfillmentOf"):
        order = node.first("order")
        code, priority = order.first("code", "code"), order.first("priorityCode")
        numbers = ids(order)
        priority.leave("the priority of an order that was answered")
        if not draft.patient:
            order.give_up("an order for nobody; the document does not say whose it is")
            continue
        if not numbers:
            continue
        made = compact(
            {
                "resourceType": "ServiceRequest",
                "id": draft.known("ServiceRequest", numbers, order),
                "identifier": numbers,
                "status": "unknown",
                "intent": "order",
                "code": cd_to_codeable_concept(code, draft) if code else None,
                "subject": draft.subject,
            }
        )
        reference = draft.tell(made)
        order.becomes(reference)
        draft.orders.append(reference)
        yield reference


def provenance(draft: Draft, composition: Resource) -> Resource:
    """Make the Provenance: of which bytes and which document this is, who wrote, entered, told and keeps it."""
    agents: list[Element] = [_agent("author", one) for one in composition["author"]]
    for name, role in (("dataEnterer", "enterer"), ("informant", "informant")):
        for node in draft.root.all(name):
            who = _informing(node, draft)
            agents += [_agent(role, {"reference": who})] if who else []
            time = node.first("time")
            time.leave("when somebody entered or told it; the date of the document is kept")
    if "custodian" in composition:
        agents.append(_agent("custodian", composition["custodian"]))
    digest = f"urn:sha256:{draft.fingerprint.hexdigest()}"
    made: Resource = {
        "resourceType": "Provenance",
        "id": resource_id("Provenance", "urn:ietf:rfc:3986", digest),
        "target": [{"reference": f"Composition/{composition['id']}"}],
        "occurredDateTime": draft.written,
        "recorded": draft.dated if "T" in draft.dated else "",
        "agent": agents,
        "entity": [
            {"role": "source", "what": {"identifier": {"system": "urn:ietf:rfc:3986", "value": digest}}},
            {"role": "source", "what": {"identifier": draft.number}},
        ],
    }
    made = compact(made)
    if "recorded" not in made:
        made["_recorded"] = absent()
    return made


def _agent(role: str, who: Element) -> Element:
    return {"type": concept("provenance-participant-type", role), "who": who}


def _informing(node: Node, draft: Draft) -> str:
    entity = node.first("relatedEntity")
    if entity:
        person = entity.first("relatedPerson")
        entity.take("classCode")
        return related_to_reference(entity, person, draft) if person else ""
    return assigned_to_reference(node.first("assignedEntity"), draft)
