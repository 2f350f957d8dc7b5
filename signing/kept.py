"""Read evidence that was kept beside a signed file, as `lienthong sign evidence --json` writes it.

What is in it is believed no more than what is in the file: `validation` judges all of it. Pure.

Requirement: S0.10
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from typing import Any, Final

from signing.evidence import Evidence
from signing.faults import EvidenceUnreadable

FORMAT: Final = "lienthong-evidence/1"
FIELDS: Final = {
    "certificates": "certificates",
    "ocsp_responses": "ocsp",
    "crls": "crls",
    "timestamps": "timestamps",
}
"""Field of `Evidence` → name in the file, there a list of DER in base64."""
RECORD: Final = "record"
"""Under each archive time stamp, where it is an evidence record."""


def read_evidence(data: bytes) -> Evidence:
    """Return everything that a file of evidence holds, of all signatures; raise EvidenceUnreadable."""
    try:
        value = json.loads(data)
        if value["format"] != FORMAT:
            raise EvidenceUnreadable("format", "another one")
        found = Evidence()
        for one in value["signatures"]:
            found += Evidence(**{field: _der(one[name]) for field, name in FIELDS.items()})
        for one in value.get("archive", []):
            found += Evidence(records=_der([one[RECORD]] if one.get(RECORD) else []))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise EvidenceUnreadable("file", type(problem).__name__) from problem
    return found


def _der(values: Any) -> tuple[bytes, ...]:
    if not isinstance(values, list):
        raise EvidenceUnreadable("file", "a list expected")
    try:
        return tuple(b64decode(one, validate=True) for one in values)
    except binascii.Error as problem:
        raise EvidenceUnreadable("file", "not base64") from problem
