"""MFK: the answer to a master file, record by record.

Standard: HL7 v2.5.1 §8.3.2
"""

from __future__ import annotations

from mappings.hl7v2 import faults
from mappings.hl7v2.acknowledgement import take_acknowledgement
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.segments.mfa import mfa_to_issue

TRIGGERS = ("MFK",)


def map_message(draft: Draft) -> None:
    """Map an answer to a master file.

    Raises `MissingSegment` without MSA.
    """
    if take_acknowledgement(draft, [mfa_to_issue(mfa, draft) for mfa in draft.reader.all("MFA")]) is None:
        raise faults.MissingSegment("MSA")
