"""Give names in place of names, from a key: the same for the same input and key, not to be turned back without the key.

Standard: DICOM PS3.5 §B.2 (UIDs below 2.25); PS3.15 §E.3.6 (dates)
"""

from __future__ import annotations

import hmac
import re
from base64 import b32encode
from datetime import date, timedelta

from mappings.dicom.confidentiality import STANDARD_UIDS

_MOST_DAYS = 3650
_DATE = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)")
_DATETIME = re.compile(r"(\d{4})(\d\d)?(\d\d)?((?:\d\d){0,3}(?:\.\d{1,6})?(?:[+-]\d{4})?)")
_KEPT = {"TM": re.compile(r"\d\d:?(\d\d:?(\d\d(\.\d{1,6})?)?)?"), "SH": re.compile(r"[+-]\d{4}")}


class Pseudonyms:
    """The names that one key gives."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def _digest(self, kind: str, value: str) -> bytes:
        return hmac.digest(self._key, f"{kind}\0{value}".encode("utf-8", "surrogateescape"), "sha256")

    def uid(self, value: str) -> str:
        """Give another UID; those of the standard itself stay."""
        value = value.strip("\0 ")
        if not value or value.startswith(STANDARD_UIDS):
            return value
        return f"2.25.{int.from_bytes(self._digest('uid', value)[:16], 'big')}"

    def patient(self, subject: str) -> str:
        """Give a PatientID of 16 letters and digits."""
        return b32encode(self._digest("patient", subject)[:10]).decode()

    def days(self, subject: str) -> int:
        """Give by how many days the dates of a patient move back: 1 to 3650."""
        return 1 + int.from_bytes(self._digest("days", subject)[:8], "big") % _MOST_DAYS


def moved(vr: str, text: str, days: int) -> str | None:
    """Move a date (DA, DT) back; times of day and offsets stay. None: it is none. A DT cut off stays cut off."""
    text = text.strip("\0 ")
    if vr in _KEPT:
        return text if not text or _KEPT[vr].fullmatch(text) else None
    found = (_DATE if vr == "DA" else _DATETIME).fullmatch(text)
    if found is None:
        return None if text else ""
    year, month, day = found.group(1, 2, 3)
    try:
        there = date(int(year), int(month or 7), int(day or 15)) - timedelta(days)
    except (ValueError, OverflowError):
        return None
    whole = f"{there:%Y%m%d}".rjust(8, "0")
    return whole[: len(year + (month or "") + (day or ""))] + (found.group(4) if vr == "DT" else "")
