"""Write the answers to queries: RSP^K11, K21, K22, K23, K24, VXR^V03, VXX^V02, ADR^A19, of FHIR resources that were found.

Does not search and does not decide what may be told: what is `found` is written, save vaccinations that were entered in error.
Forecasts are not made: the answer to Z44 is the history alone.

Standard: HL7 v2.5.1 §5.4, §3.3.56–§3.3.59, §4.17; CDC implementation guide for immunisation messaging
1.5; IHE ITI TF-2 §3.9, §3.21
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from mappings.formats import er7
from mappings.formats.er7_header import Header
from mappings.formats.er7_writer import Segment, Value, write
from mappings.formats.faults import Fault
from mappings.hl7v2 import ack
from mappings.hl7v2.answer_segments import (
    immunization_to_orders,
    patient_to_identifiers,
    patient_to_pd1,
    patient_to_pid,
    related_person_to_nk1,
)
from mappings.hl7v2.fields import system_to_authority
from mappings.hl7v2.query import Query
from mappings.outcome import Resource
from mappings.systems import DEFAULT, Systems


@dataclass(frozen=True)
class Found:
    """One person that fits."""

    patient: Resource
    related: Sequence[Resource] = ()
    """RelatedPersons."""
    immunizations: Sequence[Resource] = ()
    named: Sequence[Resource] = ()
    """Practitioners, Organizations and Locations that the others refer to; what is not here is named by its display."""


_ANSWERS = {
    "QBP^Q11": ("RSP", "K11", "RSP_K11"),
    "QBP^Q21": ("RSP", "K21", "RSP_K21"),
    "QBP^Q22": ("RSP", "K22", "RSP_K22"),
    "QBP^Q23": ("RSP", "K23", "RSP_K23"),
    "QBP^Q24": ("RSP", "K24", "RSP_K24"),
    "QRY^A19": ("ADR", "A19", "ADR_A19"),
}
_HISTORY = {"Z34": "Z32", "Z44": "Z42"}
_CANDIDATES, _NOBODY = "Z31", "Z33"
TOO_MANY = "TM"
"""QAK-2 when more fit than the query allows. Standard: CDC implementation guide 1.5, table 0208"""


def write_answer(
    query: Query,
    header: Header,
    found: Sequence[Found],
    at: datetime,
    control_id: str,
    fault: Fault | None = None,
    *,
    systems: Systems = DEFAULT,
) -> bytes:
    """Write the whole answer, ending with a carriage return, in UTF-8.

    `found` is everybody who fits, best first: the limit and the continuation of the query are kept here. With a `fault` the
    answer says AE and tells nothing about anybody; `control_id` is our own (MSH-10), `at` an aware time.
    """
    if query.trigger not in _ANSWERS and query.trigger != "VXQ^V01":
        return ack.acknowledge(header, "AE" if fault else "AA", control_id, at, fault)
    told = _told(query, [] if fault else found, systems)
    kind, profile = _kind(query, told)
    modern = _version(header) >= (2, 7)
    delimiters = ack.answering_delimiters(header)
    msh = ack.answering_msh(header, kind, control_id, at)
    if profile:
        msh = Segment("MSH", {**msh.fields, 21: (profile, "CDCPHINVS")})
    first = [msh, ack.msa(header, "AE" if fault else "AA")]
    if fault is not None:
        first.append(ack.err(header, fault, diagnosis=fault.detail))
    if kind[0] in ("RSP", "ADR", "QCK"):
        first.append(_qak(query, told, fault))
    if kind[0] == "QCK":
        return write(first, delimiters)
    alone = told.total == 1
    persons = [one for n, person in enumerate(told.people) for one in _person(query, person, n, alone, modern, systems)]
    if told.remaining:
        persons.append(Segment("DSC", {1: str(query.offset + len(told.people)), 2: "I"}))
    return write(first, delimiters) + _echo(query, header, delimiters) + write(persons, delimiters)


@dataclass(frozen=True)
class _Told:
    """What of the found is in this answer."""

    people: Sequence[Found]
    total: int
    remaining: int = 0
    too_many: bool = False


def _told(query: Query, found: Sequence[Found], systems: Systems) -> _Told:
    """Keep to the limit: a list goes on in the next answer, of a person's history there is only one."""
    if query.kind == "identifiers":
        found = [other for one in found if (other := _others(query, one, systems))]
    total = len(found)
    if query.kind == "immunizations" and query.limit and total > query.limit:
        if query.trigger == "VXQ^V01":
            return _Told(found[: query.limit], total)
        return _Told([], total, too_many=True)
    rest = found[query.offset :]
    if not query.limit or query.kind == "immunizations":
        return _Told(rest, total)
    return _Told(rest[: query.limit], total, max(len(rest) - query.limit, 0))


def _others(query: Query, found: Found, systems: Systems) -> Found | None:
    """Leave the number itself out of the numbers of a person."""
    asked = {(number.value, number.authority or number.authority_id) for number in query.numbers}

    def is_asked(identifier: Resource) -> bool:
        system = identifier.get("system", "")
        authority = system_to_authority(system, systems)
        names = {authority} if isinstance(authority, str) else {name for name in authority[:2] if name}
        if system.endswith("/patient"):
            names.add("")
        return any((identifier.get("value"), name) in asked for name in names)

    kept = [one for one in found.patient.get("identifier", []) if not is_asked(one)]
    return Found({**found.patient, "identifier": kept}) if kept else None


def _kind(query: Query, told: _Told) -> tuple[tuple[str, str, str], str]:
    """Choose MSH-9 and, for immunisations, the profile of MSH-21."""
    if query.trigger == "VXQ^V01":
        if not told.people:
            return ("QCK", "Q02", "QCK_Q02"), ""
        return (("VXR", "V03", "VXR_V03") if told.total == 1 else ("VXX", "V02", "VXX_V02")), ""
    kind = _ANSWERS[query.trigger]
    if query.trigger == "QBP^Q22" and query.name[0].upper().startswith("IHE PDQ"):
        kind = ("RSP", "K22", "RSP_K21")
    if query.kind != "immunizations":
        return kind, ""
    if len(told.people) == 1:
        return kind, _HISTORY.get(query.name[0].upper(), "Z32")
    return kind, _CANDIDATES if told.people else _NOBODY


def _qak(query: Query, told: _Told, fault: Fault | None) -> Segment:
    status = "AE" if fault else TOO_MANY if told.too_many else "OK" if told.people else "NF"
    fields: dict[int, Value] = {1: query.tag, 2: status, 3: query.name}
    if fault is None:
        fields |= {4: str(told.total), 5: str(len(told.people)), 6: str(told.remaining)}
    return Segment("QAK", fields)


def _person(query: Query, found: Found, n: int, alone: bool, modern: bool, systems: Systems) -> Iterator[Segment]:
    if query.kind in ("identifiers", "allocation"):
        yield patient_to_identifiers(found.patient, systems)
        return
    pid = patient_to_pid(found.patient, systems, modern)
    yield Segment("PID", {**pid.fields, 1: str(n + 1)})
    named = {f"{one['resourceType']}/{one['id']}": one for one in found.named}
    pd1 = patient_to_pd1(found.patient, named, systems)
    if pd1:
        yield pd1
    for place, relative in enumerate(found.related, 1):
        yield related_person_to_nk1(relative, place, modern)
    if query.kind == "immunizations" and alone:
        for immunization in found.immunizations:
            yield from immunization_to_orders(immunization, named, systems)


def _version(header: Header) -> tuple[int, ...]:
    return tuple(int(part) for part in header.version.split(".") if part.isdigit())


def _echo(query: Query, header: Header, delimiters: er7.Delimiters) -> bytes:
    """Repeat the question, byte for byte where the answer has the same delimiters."""
    if delimiters == header.delimiters:
        return b"".join(segment.raw + b"\r" for segment in query.echo)
    return write([_again(segment) for segment in query.echo], delimiters)


def _again(segment: er7.Segment) -> Segment:
    fields: dict[int, Value] = {}
    for n in segment.populated():
        fields[n] = [
            tuple(one.c(part) for part in range(1, one.components + 1)) for one in segment[n].repetitions
        ] or er7.NULL
    return Segment(segment.name, fields)
