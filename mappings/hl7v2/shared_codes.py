"""A site's own codes beside the shared catalogue (QĐ 1227 and its like) or LOINC.

A table named `site-observation` (results), `site-service` (orders) or `site-drug` (medicines) says which of the site's codes
means what, in as many systems as it has rows for; it belongs to the site and may be absent. A local code without a shared one
is noted as work to do.
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2.datatypes import Element
from mappings.hl7v2.draft import Draft
from mappings.outcome import UnmappedCode

RESULTS = "site-observation"
SERVICES = "site-service"
DRUGS = "site-drug"


def shared_codings(concept: Element, draft: Draft, where: str, table: str) -> Element:
    """Give a concept with what the site's table says of its local codes.

    A local code that nothing shared stands beside is noted in the draft.
    """
    codings = concept.get("coding")
    if not codings:
        return concept
    own = f"{draft.context.systems.own}/sid/"
    local = [coding for coding in codings if coding["system"].startswith(own)]
    if not local:
        return concept
    known = codes.site_table(table)
    if known is not None:
        rows = [row for coding in local for row in known.find_all(coding["code"])]
        more = [row.coding() for row in rows if row.coding() not in codings]
        if rows:
            return {**concept, "coding": [*codings, *more]}
    if len(codings) == len(local):
        first = local[0]
        draft.unmapped.setdefault(
            (first["system"], first["code"]),
            UnmappedCode(where, first["system"], first["code"], first.get("display", "")),
        )
    return concept
