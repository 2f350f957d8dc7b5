"""ARV: who may not see what of the person or the visit it follows.

Standard: HL7 v2.8 §3.4.14
"""

from __future__ import annotations

from mappings.hl7v2.codings import v2_coding
from mappings.hl7v2.datatypes import Element, code_of, words
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.outcome import Resource

MAPPED = {3: "Patient.meta.security | Encounter.meta.security", 4: "Patient.meta.security | Encounter.meta.security"}
IGNORED = {
    1: SEQUENCE,
    2: "action code; it steers whether the segment is kept",
    5: "instructions in words; FHIR labels carry codes",
    6: "time the restriction holds; FHIR labels carry codes",
    7: "security classification; same as MSH-26",
    8: "handling instructions; same as MSH-27",
    9: "where the restriction applies; FHIR labels hold for the whole resource",
}


@replaceable
def arv_to_security(arv: Segment, resource: Resource) -> None:
    """Add what is restricted and why as security labels; a restriction that is taken back adds nothing."""
    if code_of(arv.peek(2).c(1)).upper() == "D":
        arv.ignore(3, "taken back by the sender")
        arv.ignore(4, "taken back by the sender")
        return
    labels: list[Element] = []
    for n, table in ((3, "0717"), (4, "0719")):
        for cwe in arv[n].repetitions:
            text = words(cwe.c(2)) or words(cwe.c(1))
            label = v2_coding(table, code_of(cwe.c(1)).upper()) or ({"display": text} if text else None)
            if label and label not in labels:
                labels.append(label)
    if labels:
        security = resource.setdefault("meta", {}).setdefault("security", [])
        security += [label for label in labels if label not in security]
