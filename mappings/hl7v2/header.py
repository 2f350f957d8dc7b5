"""What every message begins and ends with: its header and provenance, and what the site reads of it.

Standard: HL7 v2.5.1 §2.15
"""

from __future__ import annotations

from mappings.hl7v2 import site
from mappings.hl7v2.actors import reference
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.segments.evn import evn_to_provenance
from mappings.hl7v2.segments.msh import msh_to_message_header, msh_to_provenance
from mappings.hl7v2.segments.sft import sft_to_device, sft_to_source


def open_header(draft: Draft) -> None:
    """Make MessageHeader and Provenance of MSH, EVN and SFT."""
    msh = draft.reader.segments[0]
    header = msh_to_message_header(msh, draft)
    provenance = msh_to_provenance(msh, header, draft)
    for segment in draft.reader.segments:
        if segment.name == "EVN":
            evn_to_provenance(segment, provenance, draft)
        elif segment.name == "SFT":
            device = sft_to_device(segment, draft)
            if device is None:
                continue
            sft_to_source(segment, header)
            provenance["entity"].append({"role": "source", "what": reference(draft.tell(device))})
    draft.about[:0] = [header, provenance]


def close_message(draft: Draft) -> None:
    """Let the site read the segments it has its own readings of."""
    if site.readers:
        for segment in draft.whole.segments:
            own = site.readers.get(segment.name)
            if own is not None:
                own.read(segment, draft)
