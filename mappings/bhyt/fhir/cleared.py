"""What a visit that is sent again takes back: elements that a row's resources had before and have no more.

A record lays what it is told over what it knows. A row tells all of its resources, so what it leaves empty now is no more, and
above all what was kept as written of a row that has been corrected. What others know too (Patient, Encounter, Coverage, facts
under the name of a field) is not taken back.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from mappings.outcome import Resource

MAIN = ("extension(qd3176-as-written)", "extension(qd3176-reserved)")
"""What the frame keeps with the main resource of every row."""
_OPTIONAL: dict[str, tuple[str, ...]] = {
    "Appointment": ("created", "requestedPeriod"),
    "ChargeItem": (
        *("occurrence", "performer", "performingOrganization", "quantity", "priceOverride", "product", "reason"),
        *("service", "supportingInformation", "extension(cost-group)", "extension(unit-price)"),
        *("extension(insurance-amount)", "extension(vn-ext-insurance-cost-info)", "extension(qd3176-line)"),
        "extension(ordered-at)",
    ),
    "Claim": (
        *("_created", "referral", "total", "extension(payment-time)", "extension(vn-ext-claim-cost-summary)"),
        *("extension(qd3176-cost)", "extension(vn-ext-claim-payment-period)"),
    ),
    "ClinicalImpression": ("effective", "assessor", "investigation", "summary", "supportingInfo"),
    "Composition": ("_date", "section"),
    "Condition": ("onset", "stage"),
    "CoverageEligibilityRequest": ("_created", "item", "insurance"),
    "Device": ("type",),
    "DiagnosticReport": ("category", "basedOn", "issued", "resultsInterpreter", "conclusion"),
    "EpisodeOfCare": ("managingOrganization", "diagnosis"),
    "MedicationAdministration": ("dosage",),
    "MedicationDispense": ("quantity",),
    "MedicationRequest": ("authoredOn", "requester", "dosageInstruction", "dispenseRequest"),
    "MedicationStatement": ("category", "effective", "informationSource"),
    "Observation": (
        *("category", "basedOn", "effective", "issued", "performer", "value", "interpretation", "note", "component"),
        "extension(unit)",
    ),
    "Procedure": ("performed", "performer", "reasonCode"),
    "ServiceRequest": ("category", "code", "authoredOn", "requester", "performer", "reasonCode"),
}
"""Type → the elements that a row's resource may or may not have."""


def cleared(resources: Iterable[Resource], owned: set[str], mains: set[str]) -> dict[str, tuple[str, ...]]:
    """Give, by reference, what the resources of rows lack; `owned` are those a row alone tells of, `mains` the main ones."""
    found: dict[str, tuple[str, ...]] = {}
    for resource in resources:
        kind = resource["resourceType"]
        reference = f"{kind}/{resource['id']}"
        is_owned, is_main = reference in owned, reference in mains
        if not (is_owned or is_main):
            continue
        urls = tuple([one["url"] for one in resource.get("extension", ())])
        lacking = _lacking(kind, is_owned, is_main, tuple(resource), urls)
        if lacking:
            found[reference] = lacking
    return found


@lru_cache(4096)
def _lacking(kind: str, is_owned: bool, is_main: bool, told: tuple[str, ...], urls: tuple[str, ...]) -> tuple[str, ...]:
    """Give the paths of a resource that has none of them; rows of one table have few shapes."""
    paths = (*(_OPTIONAL.get(kind, ()) if is_owned else ()), *(MAIN if is_main else ()))
    extensions = {url.rpartition("/")[2] for url in urls}
    return tuple(
        path
        for path in paths
        if (
            path[10:-1] not in extensions
            if path.startswith("extension(")
            else not any(name.startswith(path) for name in told)
        )
    )
