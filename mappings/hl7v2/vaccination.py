"""Vaccinations: ORC, RXA, RXR and the observations after them as Immunization.

Observations that have an element of Immunization go there: eligibility, funding, information sheets, dose and series, comments.
A reaction is an Observation that the Immunization refers to. Everything else is an Observation that is part of it. RXA with
CVX 998 (no vaccine administered) makes no Immunization: its observations, such as presumed immunity, stand for themselves.

Standard: HL7 v2.5.1 §4.17; CDC implementation guide for immunisation messaging 1.5
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.actors import reference
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, joined, words
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.medicine_orders import leave_rest, numbers, orc_to_immunization
from mappings.hl7v2.quantities import nm_to_count
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.obx import is_document, obx_to_observation
from mappings.hl7v2.segments.rxa import is_no_vaccine, rxa_to_immunization
from mappings.hl7v2.segments.rxr import rxr_to_route
from mappings.hl7v2.visit import document, note
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import LOINC

ELIGIBILITY, FUNDING = "64994-7", "30963-3"
DOCUMENT_TYPE, VACCINE_TYPE = "69764-9", "30956-7"
PUBLISHED, PRESENTED = frozenset({"29768-9"}), frozenset({"29769-7", "59785-6"})
REACTION = "31044-1"
SERIES, DOSE_NUMBER, SERIES_DOSES = "59780-7", "30973-2", "59782-3"
COMMENT = "48767-8"
_SHEET = {DOCUMENT_TYPE, VACCINE_TYPE, *PUBLISHED, *PRESENTED}
_NO_VACCINE = "no vaccine was given; the observations stand for themselves"
_LISTS = ("reaction", "education", "note", "programEligibility")
"""What a vaccination may be told more of when it comes again."""
_UNUSED_ROUTE = {
    3: "device; Immunization has no such element",
    4: "method; Immunization has no such element",
    5: "routing instruction; Immunization has no such element",
}


class Vaccinations:
    """Take the segments of one person's vaccinations in order."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._orc: Segment | None = None
        self._early: list[Segment] = []
        self._immunization: dict[str, Any] | None = None
        self._commented: Resource | None = None
        self._sheets: dict[str, Element] = {}
        self._origins: list[Segment] = []
        self._first: dict[str, str] = {}
        """What was first given under a number: vaccine and time."""
        self._lists: dict[str, dict[str, dict[str, Any]]] = {}
        self._key = ""
        self._within = False

    def take(self) -> None:
        """Walk the segments of the draft once."""
        for segment in self._draft.reader.segments:
            name = segment.name
            if name == "ORC":
                self._close()
                self._orc, self._within = segment, True
            elif name == "RXA":
                if self._immunization is not None:
                    self._close()
                self._begin(segment)
            elif name == "RXR" and self._immunization is not None:
                self._route(segment, self._immunization)
            elif name == "OBX" and self._within:
                self._observe(segment)
            elif name == "NTE" and self._within:
                self._comment(segment)
        self._close()

    def _begin(self, rxa: Segment) -> None:
        draft, orc = self._draft, self._orc
        self._within, self._commented = True, None
        if is_no_vaccine(rxa):
            for n in rxa.fields:
                rxa.ignore(n, _NO_VACCINE)
            if orc is not None:
                for n in orc.fields:
                    orc.ignore(n, _NO_VACCINE)
            self._orc, self._key = None, ""
            return
        known = numbers(orc, draft)
        number = known[-1] if known else None
        self._key = f"{number['system']}|{number['value']}" if number else ""
        immunization = {
            "resourceType": "Immunization",
            "id": self._id(number, rxa),
            "identifier": [],
            **rxa_to_immunization(rxa, draft),
            "patient": reference(draft.patient),
            "encounter": reference(draft.encounter) if draft.encounter else {},
        }
        if orc:
            orc_to_immunization(orc, immunization, draft)
        self._immunization = immunization
        self._origins = [rxa, *([orc] if orc else [])]
        for nte in self._early:
            note(immunization, nte, draft)
        self._early = []

    def _id(self, number: Element | None, rxa: Segment) -> str:
        """Know a vaccination by its number; without one by person, vaccine and time.

        Several of one number in a message are told apart by vaccine and time.
        """
        draft = self._draft
        what = f"{code_of(rxa.peek(5).c(1))}|{words(rxa.peek(3).text)}"
        if number is None:
            system = draft.context.systems.local(draft.context.facility, "vaccination")
            return resource_id("Immunization", system, f"{draft.patient}|{what}")
        number_key = f"{number['system']}|{number['value']}"
        first = self._first.setdefault(number_key, what)
        return resource_id("Immunization", number["system"], f"{number['value']}{'' if what == first else f'|{what}'}")

    def _route(self, rxr: Segment, immunization: dict[str, Any]) -> None:
        for n, reason in _UNUSED_ROUTE.items():
            if rxr.peek(n):
                rxr.ignore(n, reason)
        found = rxr_to_route(rxr, self._draft)
        for name, value in found.items():
            immunization.setdefault(name, value)
        self._origins.append(rxr)

    # ---- observations ----

    def _observe(self, obx: Segment) -> None:
        draft, immunization = self._draft, self._immunization
        self._commented = None
        if is_document(obx):
            document(draft, obx)
            return
        code = _loinc(obx)
        if immunization is not None and self._element(obx, code, immunization):
            for n in (1, 2, 3, 4, 6, 8, 11, 14, 16, 17, 23, 24, 25):
                if obx.peek(n):
                    obx.ignore(n, "about a fact that is an element of the Immunization")
            return
        observation = obx_to_observation(obx, draft, self._key)
        if observation is None:
            return
        if immunization is not None:
            observation["partOf"] = [reference(f"Immunization/{immunization['id']}")]
        target = draft.add(observation, obx)
        if code == REACTION and immunization is not None:
            reaction = {"date": observation.get("effectiveDateTime"), "detail": reference(target)}
            immunization.setdefault("reaction", []).append(compact(reaction))
        self._commented = draft.get(target)

    def _element(self, obx: Segment, code: str, immunization: dict[str, Any]) -> bool:
        """Put what has an element of its own there."""
        draft = self._draft
        if code == ELIGIBILITY:
            found = cwe_to_codeable_concept(obx[5], draft.context)
            if found:
                immunization.setdefault("programEligibility", []).append(found)
            return found is not None
        if code == FUNDING and "fundingSource" not in immunization:
            found = cwe_to_codeable_concept(obx[5], draft.context)
            immunization["fundingSource"] = found
            return found is not None
        if code == COMMENT:
            text = joined(obx[5].repetitions)
            if text:
                said = {"text": text, "time": datetime_of(obx.peek(14).text, draft.context) if obx.peek(14) else ""}
                immunization.setdefault("note", []).append(compact(said))
            return bool(text)
        if code in _SHEET:
            return self._sheet(obx, code, immunization)
        if code in (SERIES, DOSE_NUMBER, SERIES_DOSES):
            return self._protocol(obx, code, immunization)
        return False

    def _sheet(self, obx: Segment, code: str, immunization: dict[str, Any]) -> bool:
        """Collect an information sheet by its sub-id: kind, when it was published, when it was given."""
        sheet = self._sheets.setdefault(words(obx.peek(4).text), {})
        value = obx[5]
        if code in PUBLISHED or code in PRESENTED:
            moment = datetime_of(value.c(1), self._draft.context) if value else ""
            name = "publicationDate" if code in PUBLISHED else "presentationDate"
            if not moment or name in sheet:
                return False
            sheet[name] = moment
            return True
        kind, said = code_of(value.c(1)), words(value.c(2))
        text = f"{said} ({kind})" if code == DOCUMENT_TYPE and kind and said else said or kind
        if not text:
            return False
        if code == DOCUMENT_TYPE or "documentType" not in sheet:
            sheet["documentType"] = text
        elif sheet["documentType"] != text:
            return False
        if code == VACCINE_TYPE and "vaccineCode" not in compact(immunization):
            immunization["vaccineCode"] = cwe_to_codeable_concept(value, self._draft.context)
        return True

    def _protocol(self, obx: Segment, code: str, immunization: dict[str, Any]) -> bool:
        value = obx[5]
        protocol = immunization.setdefault("_protocol", {})
        if code == SERIES:
            text = words(value.c(2)) or words(value.c(1))
            if text:
                protocol["series"] = text
            return bool(text)
        name = "doseNumber" if code == DOSE_NUMBER else "seriesDoses"
        number, text = nm_to_count(value.c(1)), words(value.c(2)) or words(value.c(1))
        if number:
            protocol[f"{name}PositiveInt"] = number
        elif text:
            protocol[f"{name}String"] = text
        return bool(number or text)

    def _comment(self, nte: Segment) -> None:
        if self._commented is not None:
            note(self._commented, nte, self._draft)
        elif self._immunization is not None:
            note(self._immunization, nte, self._draft)
        elif self._orc is not None:
            self._early.append(nte)

    def _close(self) -> None:
        immunization, orc = self._immunization, self._orc
        self._immunization, self._orc, self._commented = None, None, None
        sheets, self._sheets = self._sheets, {}
        self._early = []
        if immunization is None:
            if orc is not None:
                leave_rest(orc)
            return
        protocol = immunization.pop("_protocol", {})
        if protocol:
            if not any(name.startswith("doseNumber") for name in protocol):
                protocol["doseNumberString"] = "không rõ"
            immunization["protocolApplied"] = [protocol]
        immunization["education"] = [{"documentType": "VIS", **sheet} for sheet in sheets.values() if sheet]
        if not immunization.get("vaccineCode"):
            immunization["vaccineCode"] = {"text": "không rõ"}
        if not immunization.get("occurrenceDateTime"):
            immunization["occurrenceString"] = "không rõ"
        self._keep(compact(immunization))

    def _keep(self, immunization: Resource) -> None:
        """Keep it; of one that the message told before, only what is new."""
        target = f"Immunization/{immunization['id']}"
        lists = self._lists.setdefault(target, {})
        for name in _LISTS:
            told = lists.setdefault(name, {})
            fresh = {repr(one): one for one in immunization.get(name, [])}
            new = [one for key, one in fresh.items() if key not in told]
            told |= fresh
            if self._draft.has(target) and new:
                self._draft.get(target).setdefault(name, []).extend(new)
            elif new:
                immunization[name] = new
        self._draft.add(immunization, *self._origins)


def _loinc(obx: Segment) -> str:
    """Give the LOINC code of OBX-3, in the first or second triplet."""
    for n in (1, 4):
        name = obx.peek(3).c(n + 2).strip().upper()
        if name in ("LN", "LOINC", LOINC.upper()):
            return code_of(obx.peek(3).c(n))
    return ""
