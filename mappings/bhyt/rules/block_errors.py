"""The block errors of the assessment system, and which of our rules foresee each; those that nobody can see from outside.

The list was written for QĐ 9324 and QĐ 4210 and is still the logic behind the portal.

Standard: "Danh sách các mã lỗi chặn hồ sơ" of the assessment system, README §6; second-hand
"""

from __future__ import annotations

from mappings.bhyt.rules.core import RULES

BLOCK_ERRORS: dict[int, str] = {
    1: "reason of visit",
    3: "line amount",
    4: "total of the visit against its lines",
    5: "total of the visit against its payers",
    8: "card prefix or province",
    9: "MA_DKBD",
    10: "MA_CSKCB",
    11: "no claim",
    12: "T_BHTT worked out again",
    14: "stent count",
    15: "birth date",
    16: "sex",
    17: "card",
    18: "card valid from",
    19: "card valid to",
    20: "unequal card lists",
    21: "exemption date",
    22: "accident code",
    23: "time of entering",
    24: "time of leaving",
    25: "outcome",
    26: "discharge type",
    27: "payment date",
    31: "T_BHTT of the visit against its lines",
    34: "total of the visit against its shares",
    35: "settlement year",
    36: "settlement month",
    37: "care type",
    38: "living area",
    39: "cost group of a medicine",
    40: "scope of a medicine",
    41: "row balance of a medicine",
    42: "out of capitation, medicine",
    43: "cost group of a service",
    44: "scope of a service",
    45: "row balance of a service",
    46: "out of capitation, service",
    47: "line amount of a medicine",
    48: "T_BHTT of a medicine",
    49: "T_BNCCT of a medicine",
    50: "T_BNTT of a medicine",
    51: "other source of a medicine",
    52: "line amount of a service",
    53: "T_BHTT of a service",
    54: "T_BNCCT of a service",
    55: "T_BNTT of a service",
    56: "other source of a service",
    58: "contract expired",
    60: "outpatient contract with inpatient record",
    61: "duplicate",
    101: "routing",
    102: "supply without procedure",
    103: "other financial year",
    104: "care type against level",
    105: "care type against level",
    106: "care type against level",
}

NOT_FORESEEN: dict[int, str] = {
    58: "the contract with the insurer is not in the record",
    60: "the contract with the insurer is not in the record",
    104: "the level of the facility and of its contract are not in the record",
    105: "the level of the facility and of its contract are not in the record",
    106: "the level of the facility and of its contract are not in the record",
}
"""Block errors that no check from outside can foresee, and why."""


def rules_of(error: int) -> tuple[str, ...]:
    """Name the rules that foresee a block error."""
    return tuple(one.id for one in RULES.values() if error in one.errors)
