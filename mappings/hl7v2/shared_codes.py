"""A site's own codes beside the shared catalogue (QĐ 1227 and its like) or LOINC.

A table named `site-observation` (results), `site-service` (orders) or `site-drug` (medicines) says which of the site's codes
means what, in as many systems as it has rows for; it belongs to the site and may be absent. A local code without a shared one
is noted as work to do. Codes of devices (MDC) get the LOINC code of the tables `mdc-loinc` and `mdc-loinc-vital` beside them.
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2.datatypes import Element
from mappings.hl7v2.draft import Draft
from mappings.outcome import UnmappedCode
from mappings.systems import LOINC, MDC

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
    concept, codings = _of_devices(concept, codings)
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


def _of_devices(concept: Element, codings: list[Element]) -> tuple[Element, list[Element]]:
    """Put the LOINC codes of a code of MDC beside it, unless the sender gives one."""
    measured = next((one["code"] for one in codings if one["system"] == MDC), "")
    if not measured or any(one["system"] == LOINC for one in codings):
        return concept, codings
    found = (codes.table(name).find(measured) for name in ("mdc-loinc", "mdc-loinc-vital"))
    more = [row.coding() for row in found if row]
    if not more:
        return concept, codings
    return {**concept, "coding": [*codings, *more]}, [*codings, *more]
