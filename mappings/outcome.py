"""What a mapping gives back: resources, and an account of every field it was given (promise P7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mappings.formats.faults import Fault

Resource = dict[str, Any]
"""A FHIR R4 resource, shaped as its JSON; decimals are `decimal.Decimal`, never float."""


@dataclass(frozen=True)
class Coverage:
    """Account for every populated field of one message: `mapped + ignored + unknown` are all of them, none twice.

    Positions are written with their occurrence where a segment repeats: `PID-3`, `OBX[2]-5`, `ZPI-1`.
    """

    mapped: Mapping[str, str] = field(default_factory=dict)
    """Position → where it went, as element paths without indexes: `Patient.identifier`, `Observation.value`. Alternatives are
    parted by ` | `; which of them it was, `mappings.hl7v2.targets` finds in the resources."""
    ignored: Mapping[str, str] = field(default_factory=dict)
    """Left out on purpose: position → the reason, a short English phrase."""
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Populated, and not used: position → why. Shown to people; never dropped silently."""

    @property
    def total(self) -> int:
        return len(self.mapped) + len(self.ignored) + len(self.unknown)


@dataclass(frozen=True)
class Notice:
    """Something a person should look at although the message went through; `code` is a key of the fault texts."""

    code: int
    where: str
    detail: str = ""


@dataclass(frozen=True)
class IdentityChange:
    """What a message says about two records that are known already. Standard: HL7 v2.5.1 §3.6.2"""

    kind: Literal["merge", "link", "unlink", "move"]
    """`merge`: `other` is from now on `kept`. `link`, `unlink`: both stay and are (no longer) one person. `move`: what hangs
    on `other` (a visit, an account, an identifier) belongs to `kept` from now on."""
    kept: str
    """Reference, `Patient/<id>`: the record that stays, or that gets what is moved."""
    other: str
    """Reference: the record that is replaced (merge), the other of the two (link, unlink), or what is moved (move)."""


@dataclass(frozen=True)
class UnmappedCode:
    """A code of this site that no table takes to a shared catalogue: work for whoever keeps the site's tables."""

    where: str
    """Field it stood in: `OBX-3`."""
    system: str
    code: str
    display: str


@dataclass(frozen=True)
class Outcome:
    """The result of mapping one message."""

    resources: Sequence[Resource]
    """What goes into the clinical record."""
    coverage: Coverage
    about: Sequence[Resource] = ()
    """What only describes the message: MessageHeader, Provenance, and who they name. Part of its Bundle, not of the record."""
    sent_at: str = ""
    """When the message was made (MSH-7), as FHIR dateTime."""
    notices: Sequence[Notice] = ()
    patient_id: str | None = None
    """Id of the Patient the message is about; None when it is about nobody."""
    encounter_id: str | None = None
    identity: Sequence[IdentityChange] = ()
    cleared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Reference → elements the sender deletes (null, `""`) or takes back (a cancelled discharge): paths below the resource
    such as `telecom`, `period.end`, `extension(patient-religion)`. One that the resource has all the same is never named."""
    assumed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Reference → elements that FHIR demands and the message does not know, such as the `status` of a visit in an update: good
    where nothing is known yet, never better than what is."""
    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Position of a segment (`PID`, `OBX[2]`) → references of the resources made of it."""
    unmapped: Sequence[UnmappedCode] = ()


@dataclass(frozen=True)
class Reading:
    """The result of reading one document."""

    bundle: Resource
    """The FHIR document: Composition first, every reference answered inside."""
    coverage: Coverage
    """Positions are XPaths (CDA) or FHIRPaths (FHIR), with indexes."""
    notices: Sequence[Notice] = ()
    patient_id: str | None = None
    """Id of the Patient the document is about; None when it does not say."""
    encounter_id: str | None = None
    fault: Fault | None = None
    """Why the document may be shown to people and never be put into a record: it does not say whose it is."""

    @property
    def resources(self) -> list[Resource]:
        """The resources of the Bundle, the Composition first."""
        return [entry["resource"] for entry in self.bundle.get("entry", ()) if "resource" in entry]
