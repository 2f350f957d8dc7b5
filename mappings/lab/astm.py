"""One message of an instrument to its outcome: results of people, results of quality control, questions.

Standard: CLSI LIS2-A2
Requirement: S1.5, S3.2, S3.15
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from mappings import hl7v2
from mappings.formats import astm, er7
from mappings.formats.faults import Fault
from mappings.hl7v2.context import Context as Hl7Context
from mappings.lab import faults, reasons, translation
from mappings.lab.context import Context, Known
from mappings.lab.control import controls_to_resources, is_control, no_person
from mappings.lab.fields import Account, Row
from mappings.lab.groups import Group, Read
from mappings.lab.profiles import Profile, choose, profiles
from mappings.outcome import Notice, Outcome, Resource

FAMILY = "ASTM"
RESULT, CONTROL, QUERY, OTHER = (f"{FAMILY}^{kind}" for kind in ("RESULT", "CONTROL", "QUERY", "OTHER"))
"""How `accept` and the rules of papers call results, results of quality control, questions, and anything else."""
_FINAL = frozenset({"final", "corrected", "amended", "appended"})
_ABORTED = frozenset("TRE")
"""Letters of L-3: broken off by the sender, by the receiver, by an error. Standard: CLSI LIS2-A2 §13"""


def profile_of(message: astm.Message, name: str) -> Profile:
    """Give the dialect of a message; raise ProfileUnknown for a name that there is not."""
    try:
        return choose(message, name)
    except KeyError:
        raise faults.ProfileUnknown(detail=f"{name}; known: {', '.join(profiles())}"[:200]) from None


def read(message: astm.Message, profile: str = "") -> Read:
    """Read a message in its dialect, once for all who ask: that of the name, else the one whose mark it bears.

    Raises ProfileUnknown for a name that there is not.
    """
    return Read(message, profile_of(message, profile))


def kind_of(told: Read) -> str:
    """Say what a message is."""
    rows, profile = told.rows, told.profile
    tested = [one for group in told.groups for one in group.tested]
    if any(not is_control(one, rows[0], profile) for one in tested):
        return RESULT
    if tested or (profile.control.records and any(row.name == "Q" for row in rows)):
        return CONTROL
    return QUERY if any(row.name == "Q" for row in rows) else OTHER


def map_message(told: Read, context: Context) -> Outcome:
    """Map one message.

    Raises NothingSaid; nothing else, whatever the message holds. Every resource is sound R4 if HL7 v2's are.
    """
    message, profile, rows = told.message, told.profile, told.rows
    account = Account(message, profile)
    if not any(row.name in "PORQ" for row in rows):
        raise faults.NothingSaid("L" if rows[-1].name == "L" else "H")
    instrument = translation.instrument_of(rows[0], profile)
    made = translation.Translation(account, context, profile, instrument)
    persons, controls = [], []
    for group in told.groups:
        control = [one for one in group.tested if is_control(one, rows[0], profile)]
        controls += control
        if control and group.patient is not None and len(control) == len(group.tested):
            no_person(account, group.patient)
        else:
            persons.append(replace(group, tested=[one for one in group.tested if one not in control]))
    _strays(rows, persons, controls, account)
    if not any(group.tested for group in persons) and not controls and not profile.control.records:
        _asks(rows, account)
    outcome = _results(rows[0], persons, made)
    kept = controls_to_resources(rows, controls, made)
    notices = [*(Notice(*one) for one in message.notices), *outcome.notices, *made.notices]
    if kept.outcome is not None:
        outcome = replace(outcome, about=outcome.about or kept.outcome.about, sent_at=kept.outcome.sent_at)
        notices += [*kept.outcome.notices, Notice(faults.CONTROL, kept.where)]
    end = message.first("L")
    if end is not None and end[3].text.strip().upper() in _ABORTED:
        notices.append(Notice(faults.ABORTED, end.where(3)))
    resources = list(
        {f"{one['resourceType']}/{one['id']}": one for one in (*outcome.resources, *kept.resources)}.values()
    )
    for resource in resources if context.message_id else ():
        resource["meta"] = {**resource.get("meta", {}), "source": f"urn:uuid:{context.message_id}"}
    return replace(outcome, resources=resources, coverage=account.close(), notices=tuple(dict.fromkeys(notices)))


def _asks(rows: list[Row], account: Account) -> None:
    """Account for a question: it is answered from the record, and nothing is made of it."""
    for row in rows:
        for n in row.record.populated():
            account.put([row.record.where(n)], "ignored", reasons.QUESTION)


def _strays(rows: list[Row], told: list[Group], controls: list[Any], account: Account) -> None:
    """Account for results and comments that follow nothing."""
    tested = [one for group in told for one in group.tested] + controls
    kept = {id(row) for one in tested for row, _ in one.results}
    comments = [row for one in tested for row in one.comments] + [
        c for one in tested for _, cs in one.results for c in cs
    ]
    kept |= {id(row) for row in comments} | {id(row) for group in told for row in group.comments if group.tested}
    for row in rows:
        if row.name in "RC" and id(row) not in kept:
            reason = reasons.NO_ORDER if row.name == "R" else reasons.ON_NOTHING
            for n in row.record.populated():
                if n > 2:
                    account.put([row.record.where(n)], "unknown", reason)


def _results(head: Row, told: list[Group], made: translation.Translation) -> Outcome:
    """Map what is said of people by way of HL7 v2, and say it of the records again."""
    translation.header(head, made)
    for group in told:
        if group.tested:
            translation.group(group, made)
    context = made.context
    if any(one.name == "OBR" for one in made.segments):
        plain = Hl7Context(context.facility, context.systems, context.zone, context.on)
        origins = made.origins()
        try:
            outcome = hl7v2.map_message(er7.Message.parse(made.write(), "utf-8"), plain)
        except Fault as fault:
            fault.where = translation.Back(origins).place(fault.where)
            raise
        return _of_records(outcome, origins, told, made)
    return Outcome(resources=(), coverage=made.account.close(), sent_at="")


def _of_records(
    outcome: Outcome, origins: dict[str, tuple[str, ...]], told: list[Group], made: translation.Translation
) -> Outcome:
    back = translation.Back(origins, outcome)
    states: tuple[tuple[Literal["mapped", "ignored", "unknown"], Any], ...] = (
        ("mapped", outcome.coverage.mapped),
        ("unknown", outcome.coverage.unknown),
        ("ignored", outcome.coverage.ignored),
    )
    for state, found in states:
        for where, said in found.items():
            if where in origins:
                made.account.put(origins[where], state, back.target(said) if state == "mapped" else said)

    notices = [replace(one, where=back.place(one.where)) for one in outcome.notices]
    known = {group.position: found for group in told if (found := made.context.known.get(group.position))}
    resources = _with_known(list(outcome.resources), known, outcome.origins, made)
    patient = next(iter(known.values())).patient["id"] if known else outcome.patient_id
    made_of: dict[str, tuple[str, ...]] = {}
    for segment, references in outcome.origins.items():
        record = back.record(segment)
        if record:
            made_of[record] = tuple(dict.fromkeys((*made_of.get(record, ()), *references)))
    return replace(
        outcome,
        resources=resources,
        about=[_about(one, made) for one in outcome.about],
        notices=tuple(notices),
        patient_id=patient,
        origins=made_of,
        unmapped=tuple(replace(one, where=back.place(one.where)) for one in outcome.unmapped),
    )


def _about(resource: Resource, made: translation.Translation) -> Resource:
    """Say of the header that the message is one of records, not of HL7 v2."""
    system = f"{made.context.systems.own}/CodeSystem/message"
    if resource["resourceType"] == "MessageHeader":
        return {**resource, "eventCoding": {"system": system, "code": RESULT}}
    if resource["resourceType"] == "Provenance" and "activity" in resource:
        return {**resource, "activity": {"text": RESULT}}
    return resource


def _with_known(
    resources: list[Resource],
    known: dict[str, Known],
    origins: Mapping[str, tuple[str, ...]],
    made: translation.Translation,
) -> list[Resource]:
    """Put the persons and orders of the record in place of what was made of their numbers.

    Of a person whom the record knows nothing is told; of its order only that it is done, once a report of it is final.
    """
    if not known:
        return resources
    persons = {one.patient["id"]: one.patient for one in known.values()}
    renamed: dict[str, str] = {}
    for person in persons.values():
        id_ = translation.patient_id(translation.number_of(person, made), made)
        if id_ != person["id"]:
            renamed[f"Patient/{id_}"] = f"Patient/{person['id']}"
    orders: dict[str, Resource] = {}
    for where, order in made.matched.items():
        asked = next((one for one in origins.get(where, ()) if one.startswith("ServiceRequest/")), "")
        orders[f"ServiceRequest/{order['id']}"] = order
        if asked and asked.partition("/")[2] != order["id"]:
            renamed[asked] = f"ServiceRequest/{order['id']}"
        for one in resources:
            if (
                f"{one['resourceType']}/{one['id']}" in origins.get(where, ())
                and one["resourceType"] == "DiagnosticReport"
            ):
                one["basedOn"] = [{"reference": f"ServiceRequest/{order['id']}"}]
    ids = {f"Patient/{one}" for one in persons} | {one for one in renamed if one.startswith("Patient/")}
    found = [one for one in resources if f"{one['resourceType']}/{one['id']}" not in ids]
    done = {
        renamed.get(asked["reference"], asked["reference"])
        for one in found
        if one["resourceType"] == "DiagnosticReport" and one["status"] in _FINAL
        for asked in one.get("basedOn", ())
    }
    kept = [translation.renamed(one, renamed) for one in found if not _is_of_record(one, orders, renamed)]
    return [
        *kept,
        *(
            {**one, "status": "completed"}
            for ref, one in orders.items()
            if ref in done and one.get("status") == "active"
        ),
    ]


def _is_of_record(resource: Resource, orders: dict[str, Resource], renamed: dict[str, str]) -> bool:
    reference = f"{resource['resourceType']}/{resource['id']}"
    return renamed.get(reference, reference) in orders
