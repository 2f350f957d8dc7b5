"""Which presentation contexts a storage source accepts: every storage class there is, and each transfer syntax as it is sent.

pynetdicom can do this too (`UNRESTRICTED_STORAGE_SERVICE`), but only for all of the process at once: then a worklist beside
would take objects. Here it is answered for each association from what that association asks for.

Standard: DICOM PS3.4 §B.5, PS3.6 Table A-1, PS3.8 §9.3.2.2
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.service_class import NonPatientObjectStorageServiceClass, ServiceClass, StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class

VERIFICATION: Final = "1.2.840.10008.1.1"
COMMITMENT: Final = "1.2.840.10008.1.20.1"
"""Storage Commitment Push Model."""
WORKLIST: Final = "1.2.840.10008.5.1.4.31"
"""Modality Worklist Information Model – FIND."""
STEP: Final = "1.2.840.10008.3.1.2.3.3"
"""Modality Performed Procedure Step."""

_READ: Final = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
"""For messages that we read ourselves; an object is only carried, in whatever syntax."""
_STORAGE_ROOT: Final = "1.2.840.10008.5.1.4.1.1."
SERVICES: Final = (VERIFICATION, COMMITMENT)
DEVICE_SERVICES: Final = (*SERVICES, WORKLIST, STEP)
"""Of a channel that also tells devices what to do."""


def is_storage(uid: str) -> bool:
    """Tell whether a SOP class is one of storage: known as such, new under the root of storage, or private."""
    service = uid_to_service_class(uid)
    if issubclass(service, (StorageServiceClass, NonPatientObjectStorageServiceClass)):
        return True
    if service is not ServiceClass or uid == MediaStorageDirectoryStorage:
        return False
    known = UID(uid)
    return known.is_private or uid.startswith(_STORAGE_ROOT) or (known.type == "SOP Class" and "Storage" in known.name)


def supported(
    requested: Iterable[PresentationContext], services: Collection[str] = SERVICES
) -> list[PresentationContext]:
    """Give the contexts to negotiate with: of what is asked for, everything that is ours; the sender's first syntax counts.

    `services` are the SOP classes beside storage.
    """
    syntaxes: dict[str, list[str]] = {}
    for context in requested:
        uid = str(context.abstract_syntax)
        offered = [str(syntax) for syntax in context.transfer_syntax]
        if uid in services:
            syntaxes[uid] = [str(syntax) for syntax in _READ]
        elif is_storage(uid):
            syntaxes[uid] = list(dict.fromkeys((*syntaxes.get(uid, ()), *offered)))
    return [build_context(uid, offered) for uid, offered in syntaxes.items()]
