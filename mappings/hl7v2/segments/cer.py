"""CER: a certificate of a member of the staff, above all the practising licence (CCHN, GPHN).

Standard: HL7 v2.5.1 §15.4.2
"""

from __future__ import annotations

from mappings.hl7v2.actors import xon_to_organization
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, compact, period, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.hl7v2.staff import number_to_identifier

MAPPED = {
    2: "Practitioner.qualification.identifier",
    4: "Practitioner.qualification.issuer",
    10: "Practitioner.qualification.code",
    11: "Practitioner.qualification.code",
    23: "Practitioner.qualification.period.start",
    24: "Practitioner.qualification.period.start",
    25: "Practitioner.qualification.period.start",
    26: "Practitioner.qualification.period.end",
    27: "Practitioner.qualification.period.end",
    29: "Practitioner.qualification.period.end",
}
_KEY = "public key certificates are kept in the register of certificates"
_PLACE = "where it was granted; the granting authority tells"
IGNORED = (
    {
        1: SEQUENCE,
        3: _KEY,
        5: "person who issued it; the granting authority is kept",
        6: _KEY,
        23: "day it was granted; the day it took effect is kept",
        24: "day it was issued; the day it took effect is kept",
        26: "day it became inactive; the day it ended is kept",
        27: "day it would have expired; it ended before",
        28: "renewal; the time it holds is kept",
        30: "reason of the revocation; no element of a qualification",
        31: "state of the certificate; the time it holds tells",
    }
    | dict.fromkeys((7, 8, 9), _PLACE)
    | dict.fromkeys(range(12, 23), _KEY)
)


@replaceable
def cer_to_qualification(cer: Segment, draft: Draft) -> Element | None:
    """Make the qualification; nothing when neither number nor kind is named."""
    context = draft.context
    kind, domain = (cwe_to_codeable_concept(cer[n], context) for n in (10, 11))
    number = number_to_identifier(cer[2].text, cer.peek(10).c(1), "", draft)
    if number is None and kind is None and domain is None:
        return None
    text = " ".join(part for part in ((kind or {}).get("text", ""), (domain or {}).get("text", "")) if part)
    codings = [coding for found in (kind, domain) if found for coding in found.get("coding", [])]
    return compact(
        {
            "identifier": [number] if number else [],
            "code": compact({"coding": codings, "text": text or ("" if codings else words(cer[2].text))}),
            "period": period(_first(cer, (25, 24, 23), draft), _first(cer, (29, 27, 26), draft)),
            "issuer": xon_to_organization(cer[4], draft),
        }
    )


def _first(cer: Segment, fields: tuple[int, ...], draft: Draft) -> str:
    """Take the first of the days that is there."""
    for n in fields:
        if cer.peek(n):
            found = draft.day(cer, n)
            if found:
                return found
    return ""
