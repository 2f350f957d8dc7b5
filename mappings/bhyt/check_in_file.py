"""The check-in of a visit, XML0, from the document that says so (`insurance_check_in`).

Does not sign, and does not decide whether a visit is checked in.

Standard: QĐ 4750/QĐ-BYT, QĐ 3176/QĐ-BYT; second-hand
Requirement: S3.13
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mappings.bhyt.faults import PaperNotInsured
from mappings.bhyt.fhir import xml0
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.files import bare_file
from mappings.bhyt.rules import Settings as RuleSettings
from mappings.bhyt.settings import DEFAULT, Settings
from mappings.bhyt.tables import table
from mappings.bhyt.visit_file import require_clean
from mappings.bhyt.visits import Visit
from mappings.documents import Context, wording
from mappings.documents.first_cost import is_cost
from mappings.documents.insurance_check_in import PAPER as CHECK_IN
from mappings.outcome import Resource

__all__ = ["CHECK_IN", "check_in_file"]

_AHEAD = timedelta(minutes=15)
"""By how much the clock of who orders may be ahead of ours: a check-in follows its order at once."""


def check_in_file(bundle: Resource, context: Context, *, settings: Settings = DEFAULT) -> bytes:
    """Write the unsigned XML0 of the visit that a document of kind `insurance_check_in` is about.

    The decision is that of the day on which the visit began. Raises PaperNotInsured for another document, and
    VisitBlocked when the rules find what the portal would refuse.
    """
    composition, *record = [entry["resource"] for entry in bundle["entry"] if "resource" in entry]
    reference = composition.get("encounter", {}).get("reference", "")
    encounter = next((one for one in record if f"{one['resourceType']}/{one['id']}" == reference), None)
    if encounter is None:
        raise PaperNotInsured("Composition.encounter", CHECK_IN)
    began = wording.day(encounter.get("period", {}).get("start") or composition.get("date", ""))
    decision = settings.calendar.decision(began) if began else "1931"
    facility = context.facility.code
    dossier = Dossier(record, encounter["id"], systems=context.systems, decision=decision, facility=facility)
    rows = [row for _, row in xml0.write(dossier)] or [xml0.check_in(dossier, _cost(composition, dossier))]
    names = table("XML0", decision).names
    visit = Visit({"XML0": tuple({name: row.get(name, "") for name in names} for row in rows)}, facility=facility)
    if settings.check == "refuse":
        known = RuleSettings(calendar=settings.calendar)
        require_clean(visit, decision, replace(context, issued_at=context.issued_at + _AHEAD), known)
    return bare_file(visit, "XML0", decision=decision, cdata=settings.cdata)


def _cost(composition: Resource, dossier: Dossier) -> Resource | None:
    """Give what the document names as the cost; the resources that travel with it may be costs themselves."""
    named = [dossier.record.follow(entry) for part in composition.get("section", []) for entry in part.get("entry", [])]
    return next((one for one in named if one and is_cost(one)), None)
