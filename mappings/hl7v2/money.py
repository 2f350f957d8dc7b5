"""Amounts: CP and MO as Money, in đồng where the sender names no currency.

Digits are kept as sent; nothing is rounded, converted or added up, except the total of a quantity at a unit price.

Standard: HL7 v2.5.1 §2.A.13, §2.A.41
"""

from __future__ import annotations

from mappings.hl7v2 import faults
from mappings.hl7v2.datatypes import Components, Element, code_of
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.quantities import nm_to_decimal
from mappings.hl7v2.reader import Segment

DONG = "VND"

_CODES = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF"
    " CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GGP GHS GIP GMD GNF GTQ GYD"
    " HKD HNL HRK HTG HUF IDR ILS IMP INR IQD IRR ISK JEP JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL"
    " LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG"
    " QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TVD TWD TZS"
    " UAH UGX USD USN UYI UYU UZS VEF VND VUV WST XAF XAG XAU XBA XBB XBC XBD XCD XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR"
    " ZMW ZWL"
)
CURRENCIES = frozenset(_CODES.split())
"""The codes that FHIR R4 takes as a currency (ISO 4217, value set `currencies` 4.0.1)."""


def cp_to_money(segment: Segment, n: int, draft: Draft) -> Element | None:
    """Take field `n` (CP, or NM as older versions have it) as Money; what is no number is noticed and given back."""
    return _money(segment, n, segment[n], 1, draft)


def mo_to_money(segment: Segment, n: int, draft: Draft) -> Element | None:
    """Take field `n` (MO) as Money."""
    return _money(segment, n, segment[n], 2, draft)


def one_cp_to_money(cp: Components, segment: Segment, n: int, draft: Draft) -> Element | None:
    """Make Money of one repetition of field `n` (CP)."""
    return _money(segment, n, cp, 1, draft)


def _money(segment: Segment, n: int, amount: Components, level: int, draft: Draft) -> Element | None:
    if not amount:
        return None
    said, currency = amount.c(1), amount.c(1, 2) if level == 1 else amount.c(2)
    value = nm_to_decimal(said)
    if value is None:
        segment.give_back(n)
        draft.notice(faults.NUMBER_UNREADABLE, segment.where(n))
        return None
    currency = code_of(currency).upper()
    if currency and currency not in CURRENCIES:
        draft.notice(faults.CODE_UNKNOWN, segment.where(n))
        return {"value": value}
    return {"value": value, "currency": currency or DONG}
