"""MA_NHOM: under which of the nineteen cost groups of the insurance file a charge is claimed.

A charge says what was done in its code; the group is a class of charges and no translation of that code, and ChargeItem and
ChargeItemDefinition have no category in R4: so the group stands in an extension of ours, at the same place on both.

Standard: QĐ 130/QĐ-BYT, QĐ 4750/QĐ-BYT, QĐ 3176/QĐ-BYT (MA_NHOM)
"""

from __future__ import annotations

from collections.abc import Iterable

from mappings import codes
from mappings.hl7v2.datatypes import Components, Element, code_of
from mappings.hl7v2.draft import Draft

NAMES = frozenset({"MA_NHOM", "QD3176", "QD130", "QD4750"})
"""How CWE.3 names the list."""


def names_group(cwe: Components) -> str:
    """Give the cost group that a coded field names, in its first or its alternate code; `""` when it names none."""
    for n in (1, 4):
        if cwe.c(n + 2).strip().upper() in NAMES and code_of(cwe.c(n)) in codes.table("ma-nhom"):
            return code_of(cwe.c(n))
    return ""


def group_of_services(services: Iterable[Components]) -> str:
    """Give the group that the site's own table `site-cost-group` has for one of these services; `""` without one."""
    table = codes.site_table("site-cost-group")
    if table is not None:
        for cwe in services:
            group = table.target(code_of(cwe.c(1)))
            if group in codes.table("ma-nhom"):
                return group
    return ""


def group_to_extension(group: str, draft: Draft) -> list[Element]:
    """Write the group as extension; nothing of no group."""
    row = codes.table("ma-nhom").find(group)
    if row is None:
        return []
    systems = draft.context.systems
    coding = {"system": f"{systems.national}/CodeSystem/vn-qd3176-cost-group-cs", "code": row.target}
    return [
        {
            "url": f"{systems.own}/StructureDefinition/cost-group",
            "valueCodeableConcept": {"coding": [coding | {"display": row.display}]},
        }
    ]
