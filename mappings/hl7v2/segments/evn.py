"""EVN: what happened, when, why, and who entered it: part of the Provenance of the message.

Standard: HL7 v2.5.1 §3.4.1
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.actors import practitioners
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import code_of, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.msh import ABSENT, participant
from mappings.hl7v2.site import replaceable
from mappings.systems import V2_TABLE

MAPPED = {
    1: "MessageHeader.event",
    2: "Provenance.recorded",
    4: "Provenance.reason",
    5: "Provenance.agent.who",
    6: "Provenance.occurred",
    7: "Provenance.location",
}
IGNORED = {3: "time the event was planned for; PV2 and SCH carry planned times"}


@replaceable
def evn_to_provenance(evn: Segment, provenance: dict[str, Any], draft: Draft) -> None:
    """Add to the Provenance what EVN knows better than MSH."""
    _ = evn[1]
    recorded = draft.moment(evn, 2)
    if "T" in recorded:
        provenance["recorded"] = recorded
        provenance.pop("_recorded", None)
    elif recorded:
        evn.ignore(2, "date without a time of day; FHIR wants an instant, MSH-7 is used")
    occurred = draft.moment(evn, 6)
    if occurred:
        provenance["occurredDateTime"] = occurred
    if code_of(evn[4].c(1)).upper() == "U":
        provenance["reason"] = [ABSENT]
    else:
        reason = cwe_to_codeable_concept(evn[4], draft.context, system=f"{V2_TABLE}0062")
        if reason:
            provenance["reason"] = [reason]
    for operator in practitioners(evn[5].repetitions, draft):
        provenance["agent"].append({"type": participant("enterer", "Enterer"), "who": operator})
    place = words(evn[7].text) or words(evn[7].c(2))
    if place:
        provenance["location"] = {"display": place}
