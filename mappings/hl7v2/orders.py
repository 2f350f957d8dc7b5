"""Orders and their results, walked once in the order they came.

An order is ORC and OBR (either may be missing), its timing, results and specimens; comments, participations, specimens and
results belong to what stands before them. What came first tells the shape: where specimens or containers come before the
orders, the orders are theirs. Parts of a message (patients, prior results) are cut by `mappings/hl7v2/parts.py`, links between
orders are made by `mappings/hl7v2/links.py`.

Standard: HL7 v2.5.1 §4.4, §7.3, §13.3
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mappings.device.report import DeviceReport
from mappings.hl7v2.actors import reference
from mappings.hl7v2.attachments import obx_to_attachment
from mappings.hl7v2.datatypes import Element, code_of, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.enclosed import ignore_beside, obx_to_document_reference
from mappings.hl7v2.links import Family, Links, Member
from mappings.hl7v2.objects_named import names_object, obx_to_report_identifier
from mappings.hl7v2.order import Order, close
from mappings.hl7v2.order_people import to_result, to_specimen
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.requests import Asked
from mappings.hl7v2.segments.ctd import ctd_to_contact_detail
from mappings.hl7v2.segments.cti import cti_to_research_study
from mappings.hl7v2.segments.dg1 import dg1_to_condition
from mappings.hl7v2.segments.inv import inv_to_substance
from mappings.hl7v2.segments.ipc import ipc_to_service_request
from mappings.hl7v2.segments.nte import nte_to_annotation
from mappings.hl7v2.segments.obr import obr_to_diagnostic_report, observation_category, order_numbers
from mappings.hl7v2.segments.obx import is_document, obx_to_observation, obx_to_performers, sub_id_of
from mappings.hl7v2.segments.ods import ods_to_service_request
from mappings.hl7v2.segments.odt import odt_to_service_request
from mappings.hl7v2.segments.prt import prt_to_participation
from mappings.hl7v2.segments.sac import sac_opens_specimen, sac_to_specimen
from mappings.hl7v2.segments.sid import sid_to_reagent
from mappings.hl7v2.segments.spm import spm_to_specimen
from mappings.hl7v2.segments.tq1 import tq1_to_timing
from mappings.hl7v2.values import is_paper_field
from mappings.hl7v2.visit import Texts, note
from mappings.outcome import Resource

_ELSEWHERE = frozenset(
    ("PID", "PD1", "PV1", "PV2", "NK1", "RF1", "PRD", "DG1", "AL1", "IN1", "IN2", "IN3", "GT1", "PR1", "ARV", "ROL")
) | {"FT1", "MSA", "ERR", "QAK"}
"""Segments after which a comment is no longer about an order."""
_BESIDE = frozenset({"NTE", "PRT"})
_IMPRESSION = "IMP"
"""Suffix of OBX-3.1 of what a report concludes. Standard: HL7 v2.5.1 §7.2.4"""
_ASKED_AT_ORDER = frozenset({"QST", "SCI"})
"""Kinds of observation (OBX-29) that belong to the order, not to its result."""


class Orders:
    """Walk the segments of orders.

    With `results` an OBR has a report and OBX are its results; without, OBX is what supports the order.
    """

    def __init__(
        self,
        draft: Draft,
        comment: Callable[[Segment], None] | None = None,
        *,
        results: bool = True,
        links: Links | None = None,
    ) -> None:
        """`comment` takes the comments that belong to no order; `links` those of a larger message, which resolves them."""
        self._draft = draft
        self._comment = comment
        self._results = results
        self._links = links or Links(draft)
        self._is_whole = links is None
        self._walked: Sequence[Segment] = ()
        self._elsewhere = True
        self._texts = Texts(draft)
        self._order: Order | None = None
        self._orc: Segment | None = None
        self._after: Segment | None = None
        """An ORC that stands after its OBR."""
        self._commented: dict[str, Any] | None = None
        self._early: list[Segment] = []
        """Segments between ORC and OBR: they are about the order that opens."""
        self._specimen: Resource | None = None
        """The specimen that OBX and SAC speak of now."""
        self._scope: list[Element] = []
        """Specimens whose orders follow, where specimens come first."""
        self._by_specimen = False
        self._has_spm = False
        self._specimens = 0
        self._device: DeviceReport | None = None
        """What devices report among the segments."""
        self._begun = 0
        """Where the order that is open begins."""
        self._twice: dict[int, frozenset[str]] = {}
        """Codes that several results of an order have, by where it begins."""

    def take(self, segments: Sequence[Segment] | None = None) -> None:
        """Take every segment of an order; resolve the links when the walk is the whole message's."""
        walked = self._draft.reader.segments if segments is None else segments
        first = next((one.name for one in walked if one.name in ("OBR", "ORC", "SPM", "SAC")), "")
        self._walked = walked
        self._by_specimen = first in ("SPM", "SAC")
        self._has_spm = any(one.name == "SPM" for one in walked)
        self._device = DeviceReport.of(self._draft, walked) if self._results else None
        for n, segment in enumerate(walked):
            self._elsewhere = self._is_elsewhere(segment)
            if segment.name == "OBR":
                self._begun = n
            read = _READERS.get(segment.name)
            if read is not None:
                read(self, segment, n)
        self._close()
        self._close_orc()
        if self._is_whole:
            self._links.resolve()

    def _is_elsewhere(self, segment: Segment) -> bool:
        if segment.name == "DG1" and not self._results and self._order:
            return False
        return segment.name in _ELSEWHERE or (self._elsewhere and segment.name in _BESIDE)

    # ---- opening ----

    def _on_orc(self, orc: Segment, _: int) -> None:
        if self._after is orc:
            return
        self._close()
        self._close_orc()
        self._orc = orc

    def _on_obr(self, obr: Segment, n: int) -> None:
        self._close()
        if self._device is not None and self._device.opens(n):
            return
        if self._orc is None:
            self._orc = self._after = self._following_orc(obr, n)
        self._open(obr)

    def _following_orc(self, obr: Segment, n: int) -> Segment | None:
        """Find the ORC right after an OBR that had none: in messages by specimen or container the order is this way round."""
        if not self._draft.trigger.startswith("OUL^"):
            return None
        after = n + 1
        while after < len(self._walked) and self._walked[after].name in _BESIDE:
            after += 1
        following = self._walked[after] if after < len(self._walked) else None
        if following is None or following.name != "ORC":
            return None
        agree = all(
            not obr.peek(part) or not following.peek(part) or obr.peek(part).text == following.peek(part).text
            for part in (2, 3)
        )
        return following if agree else None

    def _stand_alone(self, n: int) -> None:
        """Open the order of an ORC that no OBR follows: what comes now is about it."""
        if self._order is not None or self._orc is None or self._results:
            return
        for at in range(n + 1, len(self._walked)):
            name = self._walked[at].name
            if name == "OBR":
                return
            if name == "ORC":
                break
        self._open(None)

    def _close_orc(self) -> None:
        """Make the request of an ORC without OBR."""
        if self._orc is not None:
            self._open(None)
            self._close()

    def _open(self, obr: Segment | None) -> None:
        draft, orc = self._draft, self._orc
        numbers = order_numbers(obr, orc, draft)
        placer, filler = numbers
        number = filler or placer
        report = obr_to_diagnostic_report(obr, draft, numbers) if obr and self._results else None
        if number:
            key = f"{number['system']}|{number['value']}"
        elif report:
            key = report["id"]
        else:
            key = draft.own_key(obr or orc or self._walked[0])
        order = Order(
            obr=obr,
            orc=orc,
            asked=Asked(numbers, obr, orc),
            family=Family([one for one in numbers if one], obr=obr, orc=orc),
            key=key,
            report=report,
            category=observation_category(obr) if obr else [],
            specimens=list(self._scope),
            origins=[one for one in (orc, obr) if one],
        )
        if report:
            order.effective = report.get("effectiveDateTime") or report.get("effectivePeriod", {}).get("start", "")
        if not self._scope:
            self._specimen = None
        self._order = order
        self._orc = None
        self._commented = None
        early, self._early = self._early, []
        for segment in early:
            _READERS[segment.name](self, segment, 0)

    # ---- results ----

    def _on_obx(self, obx: Segment, n: int) -> None:
        if self._device is not None and self._device.holds(n):
            self._commented = self._device.made(n)
            return
        self._stand_alone(n)
        order = self._order
        at_specimen = self._specimen is not None and self._describes_specimen(order)
        if is_document(obx):
            self._commented = None
            self._document(obx, order, at_specimen)
            return
        if is_paper_field(obx):
            self._paper_field(obx, order)
            return
        if order is not None and order.report is not None and names_object(obx):
            self._commented = None
            self._object(obx, order.report)
            return
        key, effective = (order.key, order.effective) if order else ("", "")
        if at_specimen and self._specimen is not None:
            key, effective = f"Specimen/{self._specimen['id']}", ""
        sub_id = sub_id_of(obx)
        sub_key = self._sub_key(obx, sub_id, n) if sub_id else ""
        observation = obx_to_observation(obx, self._draft, key, effective, sub_key)
        self._commented = observation
        if observation is None:
            return
        self._draft.add(observation, obx)
        if obx.peek(33):
            self._links.from_specimen(obx, observation)
        if at_specimen and self._specimen is not None:
            observation["focus"] = [reference(f"Specimen/{self._specimen['id']}")]
        elif order:
            self._belongs(obx, sub_id, observation, order)

    def _belongs(self, obx: Segment, sub_id: str, observation: Resource, order: Order) -> None:
        """Put a result into its order."""
        if order.category and "category" not in observation:
            observation["category"] = order.category
        link = reference(f"Observation/{observation['id']}")
        if order.report is None or obx.peek(29).text.strip().upper() in _ASKED_AT_ORDER:
            order.supporting.append(link)
            return
        order.results.append(link)
        order.statuses.append(observation["status"])
        order.family.members.append(Member(obx, sub_id, observation))
        if "valueString" in observation and code_of(obx.peek(3).c(1, 2)).upper() == _IMPRESSION:
            earlier = order.report.get("conclusion", "")
            order.report["conclusion"] = f"{earlier}\n{observation['valueString']}".strip()
        if self._specimen is not None and not self._scope:
            observation.setdefault("specimen", reference(f"Specimen/{self._specimen['id']}"))

    def _describes_specimen(self, order: Order | None) -> bool:
        """Tell whether OBX after a specimen describes that; results that come only after the specimen are results.

        Where specimens come first, whatever follows an order is the order's.
        """
        if order is None or self._by_specimen:
            return order is None
        return order.report is None or bool(order.results or order.report.get("presentedForm"))

    def _sub_key(self, obx: Segment, sub_id: str, n: int) -> str:
        """Give what of OBX-4 makes the id: nothing where it only counts, so that a result stays itself in another place."""
        if sub_id == "1":
            return ""
        if sub_id != obx.peek(1).text.strip():
            return sub_id
        return sub_id if obx.peek(3).c(1) in self._codes_twice(n) else ""

    def _codes_twice(self, n: int) -> frozenset[str]:
        """Give the codes that more than one result of this order has."""
        if self._begun not in self._twice:
            once: set[str] = set()
            twice: set[str] = {""}
            for at in range(self._begun, len(self._walked)):
                segment = self._walked[at]
                if at > n and segment.name in ("OBR", "ORC"):
                    break
                if segment.name == "OBX":
                    code = segment.peek(3).c(1)
                    (twice if code in once else once).add(code)
            self._twice[self._begun] = frozenset(twice)
        return self._twice[self._begun]

    def _paper_field(self, obx: Segment, order: Order | None) -> None:
        observation = self._texts.take(obx, order.key if order else "")
        self._commented = observation
        if observation is None or order is None:
            return
        if order.report is not None and words(obx.peek(3).c(1)) == "KET_LUAN":
            coded = observation.get("valueCodeableConcept", {})
            said = observation.get("valueString") or coded.get("text", "")
            order.report |= {"conclusion": said} if said else {}
        if order.category and "category" not in observation:
            observation["category"] = order.category
        link = reference(f"Observation/{observation['id']}")
        if order.report is None:
            order.supporting.append(link)
        else:
            order.results.append(link)
            order.statuses.append(observation["status"])

    @staticmethod
    def _object(obx: Segment, report: Resource) -> None:
        number = obx_to_report_identifier(obx)
        if number and number not in report.setdefault("identifier", []):
            report["identifier"].append(number)

    def _document(self, obx: Segment, order: Order | None, at_specimen: bool) -> None:
        draft = self._draft
        if order is None or order.report is None or at_specimen:
            shown = reference(f"Specimen/{self._specimen['id']}") if at_specimen and self._specimen else None
            target = obx_to_document_reference(obx, draft, shown)
            if target and order and not at_specimen:
                order.supporting.append(reference(target))
            return
        if code_of(obx.peek(11).text).upper() in ("D", "W"):
            obx.ignore(5, "taken back by the sender")
            return
        attachment = obx_to_attachment(obx, draft)
        ignore_beside(obx)
        if obx.peek(11):
            obx.ignore(11, "the report tells the status")
        if attachment is None:
            return
        order.report.setdefault("presentedForm", []).append(attachment)
        order.origins.append(obx)
        for one in obx_to_performers(obx, draft):
            if one not in order.report.setdefault("performer", []):
                order.report["performer"].append(one)

    # ---- what stands beside ----

    def _on_nte(self, nte: Segment, _: int) -> None:
        if self._elsewhere:
            if self._comment:
                self._comment(nte)
        elif self._commented is not None:
            note(self._commented, nte, self._draft)
        elif self._order:
            self._remark(nte, self._order)
        elif self._orc:
            self._early.append(nte)

    def _remark(self, nte: Segment, order: Order) -> None:
        annotation = nte_to_annotation(nte, self._draft)
        if annotation is None:
            return
        if order.report is None:
            order.asked.parts.append({"note": [annotation]})
        else:
            order.extensions.append(("report-note", {"valueAnnotation": annotation}))

    def _on_prt(self, prt: Segment, n: int) -> None:
        if self._elsewhere or (self._device is not None and self._device.names(n)):
            return
        draft, beside = self._draft, self._commented
        kind = beside["resourceType"] if beside else ""
        if beside is None and self._order is None:
            if self._orc:
                self._early.append(prt)
            return
        part = prt_to_participation(prt, draft)
        if not any(one["reference"].startswith("PractitionerRole/") for one in part.actors(draft)):
            for n in (11, 12):
                prt.ignore(n, "from when to when somebody took part; FHIR tells it of roles only")
        if beside is not None and kind == "Observation":
            to_result(part, beside, draft)
            draft.add(beside, prt)
        elif beside is not None and kind == "Specimen":
            to_specimen(part, beside, draft)
            draft.add(beside, prt)
        elif self._order is not None:
            self._order.people.append(part)
            self._order.origins.append(prt)

    def _on_spm(self, spm: Segment, _: int) -> None:
        if self._by_specimen:
            self._close()
            self._close_orc()
            self._scope = []
        order = self._order
        self._specimens += 1
        key = order.key if order else self._draft.message_key
        count = len(order.specimens) + 1 if order else self._specimens
        self._keep(spm_to_specimen(spm, self._draft, key, count), spm)

    def _on_sac(self, sac: Segment, _: int) -> None:
        draft = self._draft
        if self._by_specimen:
            self._close()
            self._close_orc()
        if self._specimen is None or (self._by_specimen and not self._has_spm):
            self._scope = []
            order = self._order
            self._keep(sac_opens_specimen(sac, draft, order.key if order else ""), sac)
        specimen = self._specimen
        if specimen is not None:
            sac_to_specimen(sac, draft, specimen)
            draft.add(specimen, sac)
            self._commented = specimen

    def _on_inv(self, inv: Segment, _: int) -> None:
        inv_to_substance(inv, self._draft, self._specimen)

    def _on_sid(self, sid: Segment, _: int) -> None:
        sid_to_reagent(sid, self._draft, self._commented)

    def _keep(self, specimen: Resource, segment: Segment) -> None:
        """Keep a specimen with its order, or as that whose orders follow."""
        is_new = not self._draft.has(f"Specimen/{specimen['id']}")
        target = self._draft.add(specimen, segment)
        self._specimen = self._commented = self._draft.get(target)
        link = reference(target)
        if self._by_specimen or self._order is None:
            self._scope.append(link)
        elif is_new or link not in self._order.specimens:
            self._order.specimens.append(link)

    def _on_tq1(self, tq1: Segment, _: int) -> None:
        if self._order:
            self._order.asked.parts.append(tq1_to_timing(tq1, self._draft))
            self._order.origins.append(tq1)
        elif self._orc:
            self._early.append(tq1)

    def _on_dg1(self, dg1: Segment, n: int) -> None:
        self._stand_alone(n)
        if self._results or self._order is None:
            return
        found = dg1_to_condition(dg1, self._draft)
        if found:
            self._commented = found[0]
            self._order.reasons.append(reference(self._draft.add(found[0], dg1)))
            if "rank" in found[1]:
                dg1.ignore(15, "priority among the reasons of an order")

    def _on_ipc(self, ipc: Segment, n: int) -> None:
        self._stand_alone(n)
        if self._order:
            self._order.asked.parts.append(ipc_to_service_request(ipc, self._draft))
            self._order.imaging.append(ipc)
            self._order.origins.append(ipc)

    def _on_cti(self, cti: Segment, n: int) -> None:
        self._stand_alone(n)
        study = cti_to_research_study(cti, self._draft) if self._order else None
        if study and self._order:
            self._order.extensions.append(("research-study", {"valueReference": study}))

    def _on_ctd(self, ctd: Segment, n: int) -> None:
        self._stand_alone(n)
        contact = ctd_to_contact_detail(ctd, self._draft) if self._order else None
        if contact and self._order:
            self._order.extensions.append(("order-contact", {"valueContactDetail": contact}))

    def _on_diet(self, segment: Segment, _: int) -> None:
        """Take ODS and ODT, which stand where OBR would."""
        if self._order is None and self._orc is not None:
            self._open(None)
        if self._order is None:
            return
        read = ods_to_service_request if segment.name == "ODS" else odt_to_service_request
        told = read(segment, self._draft)
        self._order.asked.codes += told["codes"]
        self._order.asked.parts.append({"note": told["notes"]})
        self._order.origins.append(segment)

    # ---- closing ----

    def _close(self) -> None:
        """Finish the order that is open."""
        order, self._order = self._order, None
        self._commented = None
        if not self._by_specimen:
            self._specimen = None
        if order is not None:
            close(order, self._draft, self._links)


class Results(Orders):
    """Walk the segments of results."""


_READERS: dict[str, Callable[[Orders, Segment, int], None]] = {
    "OBX": Orders._on_obx,
    "NTE": Orders._on_nte,
    "PRT": Orders._on_prt,
    "OBR": Orders._on_obr,
    "ORC": Orders._on_orc,
    "SPM": Orders._on_spm,
    "SAC": Orders._on_sac,
    "INV": Orders._on_inv,
    "SID": Orders._on_sid,
    "TQ1": Orders._on_tq1,
    "DG1": Orders._on_dg1,
    "IPC": Orders._on_ipc,
    "CTI": Orders._on_cti,
    "CTD": Orders._on_ctd,
    "ODS": Orders._on_diet,
    "ODT": Orders._on_diet,
}
