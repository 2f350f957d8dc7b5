"""A site's own codes beside the shared catalogue (QĐ 1227 and its like) or LOINC.

A table named `site-observation` (results), `site-service` (orders) or `site-drug` (medicines) says which of the site's codes
means what, in as many systems as it has rows for; it belongs to the site and may be absent. A local code without a shared one
is noted as work to do. Codes of devices (MDC) get the LOINC code of the tables `mdc-loinc` and `mdc-loinc-vital` beside them.
"""

from __future__ import annotations

import re

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.datatypes import Element
from mappings.hl7v2.draft import Draft
from mappings.outcome import UnmappedCode
from mappings.systems import LOINC, MDC

RESULTS = "site-observation"
SERVICES = "site-service"
DRUGS = "site-drug"
UNITS = "sid/unit"
"""Below the site's own systems: units as senders write them."""
_LONGEST_UNIT = 24
_NUMBER_OF_SOMEBODY = re.compile(r"[0-9]{5}|[0-9]+[-/.][0-9]+[-/.][0-9]+")


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


def unknown_unit(unit: str, code: Element, draft: Draft, where: str) -> None:
    """Say, once for each unit of a message, that no table knows the unit of a number; `code` is of what was measured."""
    system = f"{draft.context.systems.own}/{UNITS}"
    named = unit if _may_be_unit(unit) else "?"
    if (system, named) not in draft.unmapped:
        draft.notice(faults.UNIT_UNKNOWN, where, named)
        draft.unmapped[system, named] = UnmappedCode(where, system, named, words_of(code))


def words_of(code: Element) -> str:
    """Give a concept in words, or by its code."""
    first: Element = (code.get("coding") or [{}])[0]
    return str(first.get("display") or code.get("text") or first.get("code", ""))


def _may_be_unit(text: str) -> bool:
    """Tell whether a text may be named as a unit: not a name, number or date that stands where units stand."""
    return len(text) <= _LONGEST_UNIT and text.count(" ") < 2 and not _NUMBER_OF_SOMEBODY.search(text)


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
