"""What a realm decides about its CDA documents: realm code, the root of template ids, the OIDs of systems.

Does not choose what a document says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import NAMESPACE_URL, UUID, uuid5

TEMPLATES = str(uuid5(NAMESPACE_URL, "https://lienthong.vn/fhir/cda-template"))
_OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+")


@dataclass(frozen=True)
class Settings:
    """CDA as a realm wants it; no Vietnamese template and no OID arc is public, so nothing here is official."""

    realm: str = "VN"
    """`realmCode`."""
    template: str = TEMPLATES
    """Root of the `templateId` of papers, an OID or UUID; the extension is paper and edition: `discharge_paper:2025-07-01`."""
    oids: Mapping[str, str] = field(default_factory=dict)
    """System URI → OID. A system that is not here has the OID HL7 registered, else the UUID version 5 of its URI."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Z]{2,3}", self.realm):
            raise ValueError("realm: two or three capital letters, such as VN")
        if not is_root(self.template):
            raise ValueError("template: an OID such as 2.16.840.1.113883.1.3, or a UUID")
        for system, oid in self.oids.items():
            if not _OID.fullmatch(oid):
                raise ValueError(f"oids: {system} needs an OID such as 2.16.840.1.113883.6.3")


def is_root(text: str) -> bool:
    """Tell whether a text can be the root of an instance identifier: an OID, or a UUID as it is written."""
    if _OID.fullmatch(text):
        return True
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


DEFAULT = Settings()
