"""Give back what was taken and came to nothing, so that the account of a segment stays true whatever the sender wrote.

For segments of many fields, each of which a careless sender may fill with what cannot be used; a field of which something else
filled the element is not found out here.
"""

from __future__ import annotations

from mappings.hl7v2 import segments, targets
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.outcome import Resource

NOTHING = "the segment names nothing that could be kept"
_ELSEWHERE = frozenset({"Organization", "RelatedPerson"})
"""Resources that fields name in passing; they are not made of the segment."""


def give_back_leftovers(segment: Segment, draft: Draft, *about: Resource) -> None:
    """Give back the mapped fields that are in none of the resources made of the segment, nor in those `about` the message."""
    known = segment.tables or segments.tables(segment.name)
    if known is None:
        return
    made = [draft.get(one) for one in segment.made if draft.has(one)] + list(about)
    for n in segment.fields:
        if n not in known.mapped or segment.is_refused(n):
            continue
        if not made:
            segment.give_back(n, NOTHING)
        elif segment.is_taken(n):
            if not segment.peek(n).is_null and not _is_there(known.mapped[n], made):
                segment.give_back(n)
        elif n not in known.ignored:
            segment.give_back(n)


def _is_there(target: str, made: list[Resource]) -> bool:
    kinds = {resource["resourceType"] for resource in made}
    judged = targets.alternatives(target)
    if any(kind not in kinds and kind in _ELSEWHERE for kind, _ in judged):
        return True
    return any(
        resource["resourceType"] == kind and (not path or targets.present(resource, path))
        for kind, path in judged
        for resource in made
    )
