"""HL7 v3 data types from FHIR elements: II, CE/CD, TS, IVL, PQ, RTO, ST.

CDA names systems by OID or UUID, FHIR by URI. A system has the OID of the settings, else the one HL7 registered; `urn:oid:` and
`urn:uuid:` are taken as they are; every other URI becomes the UUID version 5 of that URI (RFC 4122, name space URL), with the
URI itself beside it (`assigningAuthorityName`, `codeSystemName`), so that a receiver can compute the same root and tell two
systems apart.

Standard: CDA R2, HL7 v3 Data Types R1
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from mappings.cda.markup import Markup, attribute, el, kept
from mappings.documents import wording
from mappings.systems import DICOM, ICD10, LOINC, SNOMED, UCUM

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
REGISTERED: Mapping[str, tuple[str, str]] = {
    LOINC: ("2.16.840.1.113883.6.1", "LOINC"),
    ICD10: ("2.16.840.1.113883.6.3", "ICD-10"),
    UCUM: ("2.16.840.1.113883.6.8", "UCUM"),
    SNOMED: ("2.16.840.1.113883.6.96", "SNOMED CT"),
    DICOM: ("1.2.840.10008.2.16.4", "DCM"),
    "http://hl7.org/fhir/sid/cvx": ("2.16.840.1.113883.12.292", "CVX"),
    "http://www.whocc.no/atc": ("2.16.840.1.113883.6.73", "ATC"),
    f"{_TERMINOLOGY}v3-ActCode": ("2.16.840.1.113883.5.4", "ActCode"),
    f"{_TERMINOLOGY}v3-ActPriority": ("2.16.840.1.113883.5.7", "ActPriority"),
    f"{_TERMINOLOGY}v3-ActReason": ("2.16.840.1.113883.5.8", "ActReason"),
    f"{_TERMINOLOGY}v3-AdministrativeGender": ("2.16.840.1.113883.5.1", "AdministrativeGender"),
    f"{_TERMINOLOGY}v3-MaritalStatus": ("2.16.840.1.113883.5.2", "MaritalStatus"),
    f"{_TERMINOLOGY}v3-ObservationInterpretation": ("2.16.840.1.113883.5.83", "ObservationInterpretation"),
    f"{_TERMINOLOGY}v3-ParticipationType": ("2.16.840.1.113883.5.90", "ParticipationType"),
    f"{_TERMINOLOGY}v3-ReligiousAffiliation": ("2.16.840.1.113883.5.1076", "ReligiousAffiliation"),
    f"{_TERMINOLOGY}v3-RoleCode": ("2.16.840.1.113883.5.111", "RoleCode"),
    f"{_TERMINOLOGY}v3-substanceAdminSubstitution": ("2.16.840.1.113883.5.1070", "substanceAdminSubstitution"),
}
"""FHIR system → OID HL7 registered, and the name."""

_DATE = re.compile(r"^[0-9]{4}(-[0-9]{2}){0,2}$")
_URN_OID = re.compile(r"^urn:oid:([0-2](?:\.(?:0|[1-9]\d*))+)$")
_SPACE = re.compile(r"\s")
_Coding = tuple[str | None, str | None, str | None, str | None, str | None]
"""Code, root and name of its system, version, display."""
_UNKNOWN_ID = el("id", nullFlavor="UNK")


@lru_cache(maxsize=1024)
def root_of(system: str) -> tuple[str, str]:
    """Give the OID or UUID of a system that no setting names, and its name."""
    if system in REGISTERED:
        return REGISTERED[system]
    oid = _URN_OID.match(system)
    if oid:
        return oid[1], system
    if system.startswith("urn:uuid:"):
        return system[9:], system
    return str(uuid5(NAMESPACE_URL, system)), system


def uuid_of(text: str) -> str | None:
    """Give the text back when it is a UUID."""
    try:
        return text if str(UUID(text)) == text.lower() else None
    except ValueError:
        return None


class DataTypes:
    """Writes what names a system, with the OIDs of one realm."""

    def __init__(self, oids: Mapping[str, str]) -> None:
        self._oids = oids

    def root(self, system: str) -> tuple[str, str]:
        """Give the OID or UUID of a system, and its name."""
        root, name = root_of(system)
        return self._oids.get(system, root), name

    def document_id(self, identifier: dict[str, Any], tag: str = "id") -> Markup:
        """Make the II of a document: a UUID alone is the root."""
        value = identifier.get("value", "")
        return el(tag, root=value) if uuid_of(value) else self.instance(identifier, tag)

    def instance(self, identifier: dict[str, Any], tag: str = "id") -> Markup:
        """Make II of an Identifier; of `urn:oid:…` and `urn:uuid:…` as value the root alone."""
        value = identifier.get("value")
        if not value:
            return el(tag, nullFlavor="UNK")
        system = identifier.get("system", "urn:ietf:rfc:3986")
        oid = _URN_OID.match(value) if value.startswith("urn:oid:") else None
        if oid:
            return el(tag, root=oid[1])
        if value.startswith("urn:uuid:"):
            return el(tag, root=value[9:])
        return self.numbered(system, value, tag)

    def numbered(self, system: str, value: str, tag: str = "id") -> Markup:
        """Make II of a number in a system."""
        before, after = _of_system(tag, *self.root(system))
        return (f"{before}{attribute('extension', value)}{after}",)

    def instances(self, resource: dict[str, Any] | None) -> list[Markup]:
        """Make every II of a resource; one that says UNK when there is none."""
        return self.known_instances(resource) or [_UNKNOWN_ID]

    def known_instances(self, resource: dict[str, Any] | None) -> list[Markup]:
        """Make every II of a resource."""
        said = (resource or {}).get("identifier", [])
        return [self.instance(i) for i in (said if isinstance(said, list) else [said]) if i.get("value")]

    def coded(self, tag: str, concept: dict[str, Any] | None, xsi_type: str | None = None) -> Markup:
        """Make CE or CD of a CodeableConcept: the first coding, the others as translations, the text as original text."""
        said = concept or {}
        return _coded(tag, xsi_type, said.get("text"), *[self._coding(one) for one in said.get("coding", ())])

    def code(self, tag: str, system: str, code: str, display: str | None = None) -> Markup:
        """Make CE or CD of one code."""
        return _coded(tag, None, None, (code, *self.root(system), None, display))

    def _coding(self, coding: dict[str, Any]) -> _Coding:
        system = coding.get("system")
        root, name = self.root(system) if system else (None, None)
        return coding.get("code"), root, name, coding.get("version"), coding.get("display")


@lru_cache(maxsize=256)
def _of_system(tag: str, root: str, name: str) -> tuple[str, str]:
    """Write an II up to its extension and from there on: systems are few."""
    return f"<{tag}{attribute('root', root)}", f"{attribute('assigningAuthorityName', name)}/>"


@kept
def _coded(tag: str, xsi_type: str | None, text: str | None, *said: _Coding) -> Markup:
    """Make CE or CD."""
    codings = [coding for coding in said if coding[0] and not _SPACE.search(coding[0])]
    original = el("originalText", text) if text else None
    if not codings:
        return el(tag, original, xsi_type=xsi_type, nullFlavor="OTH" if text else "UNK")
    translations = [_code("translation", coding) for coding in codings[1:]]
    return _code(tag, codings[0], xsi_type, original, *translations)


def _code(tag: str, coding: _Coding, xsi_type: str | None = None, *children: Markup | None) -> Markup:
    code, root, name, version, display = coding
    return el(
        tag,
        *children,
        xsi_type=xsi_type,
        code=code,
        codeSystem=root,
        codeSystemName=name,
        codeSystemVersion=version or None,
        displayName=display or None,
    )


def timestamp(text: str) -> str:
    """Write a FHIR date or dateTime as TS, with its precision; times in Vietnamese time: `20261105101530+0700`.

    `""` when it is neither.
    """
    moment = wording.instant(text)
    if moment:
        return moment.strftime("%Y%m%d%H%M%S%z")
    return text.replace("-", "") if _DATE.match(text) else ""


@lru_cache(maxsize=512)
def time(tag: str, text: str | None, xsi_type: str | None = None) -> Markup:
    """Make TS."""
    said = timestamp(text) if text else ""
    return el(tag, xsi_type=xsi_type, value=said) if said else el(tag, xsi_type=xsi_type, nullFlavor="UNK")


def interval(
    tag: str, period: dict[str, Any] | None, xsi_type: str | None = None, operator: str | None = None
) -> Markup:
    """Make IVL_TS of a Period."""
    if not period or not (period.get("start") or period.get("end")):
        return el(tag, xsi_type=xsi_type, nullFlavor="UNK")
    low = time("low", period.get("start"))
    return el(
        tag, low, time("high", period["end"]) if period.get("end") else None, xsi_type=xsi_type, operator=operator
    )


def when(resource: dict[str, Any], element: str, tag: str = "effectiveTime") -> Markup | None:
    """Make IVL_TS of a choice such as `effective[x]`; None when nothing is said."""
    if f"{element}DateTime" in resource:
        return time(tag, resource[f"{element}DateTime"])
    if f"{element}Period" in resource:
        return interval(tag, resource[f"{element}Period"])
    return time(tag, resource[f"{element}Instant"]) if f"{element}Instant" in resource else None


# ---- amounts ---------------------------------------------------------------------------------------------------


def amount(tag: str, quantity: dict[str, Any], xsi_type: str | None = None, inclusive: str | None = None) -> Markup:
    """Make PQ, digits as received; a unit that is none of UCUM stands in a translation as it was written."""
    value, unit, shown = quantity.get("value"), quantity.get("code"), quantity.get("unit")
    if not isinstance(value, (int, Decimal)):
        return el(tag, xsi_type=xsi_type, nullFlavor="UNK")
    said = wording.number(value)
    if quantity.get("system") == UCUM and unit and not _SPACE.search(unit):
        return _amount(tag, said, unit, xsi_type, inclusive)
    if not (shown or unit):
        return el(tag, xsi_type=xsi_type, value=said, inclusive=inclusive)
    foreign = el("translation", el("originalText", str(shown or unit)), nullFlavor="OTH", value=said)
    return el(tag, foreign, xsi_type=xsi_type, nullFlavor="OTH", inclusive=inclusive)


@kept
def _amount(tag: str, said: str, unit: str, xsi_type: str | None, inclusive: str | None) -> Markup:
    """Make PQ."""
    return el(tag, xsi_type=xsi_type, value=said, unit=unit, inclusive=inclusive)


def quantity(tag: str, measured: dict[str, Any]) -> Markup:
    """Make the value of a measurement: PQ, or an interval when there is a comparator; text when there is no number."""
    if not isinstance(measured.get("value"), (int, Decimal)):
        return el(tag, f"{wording.amount(measured)} {wording.unit(measured)}".strip(), xsi_type="ST")
    comparator = measured.get("comparator")
    if not comparator:
        return amount(tag, measured, "PQ")
    side = "high" if comparator.startswith("<") else "low"
    inclusive = "true" if "=" in comparator else "false"
    return el(tag, amount(side, measured, inclusive=inclusive), xsi_type="IVL_PQ")


def quantity_range(tag: str, limits: dict[str, Any], xsi_type: str | None = None) -> Markup:
    """Make IVL_PQ of `low` and `high`."""
    sides = [amount(side, limits[side]) for side in ("low", "high") if limits.get(side)]
    return el(tag, *sides, xsi_type=xsi_type)


def ratio(tag: str, said: dict[str, Any], xsi_type: str | None = None) -> Markup:
    """Make RTO_PQ_PQ; a denominator that is not said is 1."""
    numerator = amount("numerator", said.get("numerator", {}))
    return el(tag, numerator, amount("denominator", said.get("denominator", {"value": 1})), xsi_type=xsi_type)


def value(resource: dict[str, Any], types: DataTypes) -> Markup | None:
    """Make the value of an Observation or one of its components; None when it has none."""
    if "valueQuantity" in resource:
        return quantity("value", resource["valueQuantity"])
    if "valueString" in resource:
        return el("value", resource["valueString"], xsi_type="ST")
    if "valueInteger" in resource:
        return el("value", xsi_type="INT", value=str(resource["valueInteger"]))
    if "valueTime" in resource:
        return el("value", resource["valueTime"], xsi_type="ST")
    if "valueCodeableConcept" in resource:
        return types.coded("value", resource["valueCodeableConcept"], "CD")
    if "valueDateTime" in resource:
        return time("value", resource["valueDateTime"], "TS")
    if "valueBoolean" in resource:
        return el("value", xsi_type="BL", value=str(resource["valueBoolean"]).lower())
    if "valueRange" in resource:
        return quantity_range("value", resource["valueRange"], "IVL_PQ")
    if "valueRatio" in resource:
        return ratio("value", resource["valueRatio"], "RTO_PQ_PQ")
    if "valuePeriod" in resource:
        return interval("value", resource["valuePeriod"], "IVL_TS")
    if "valueSampledData" in resource:
        return _samples(resource["valueSampledData"])
    return None


def _samples(data: dict[str, Any]) -> Markup:
    """Make SLIST_PQ; text when a sample is no whole number (`E`, `U`, `L`, decimals)."""
    origin, digits = data.get("origin", {}), data.get("data", "")
    if not re.fullmatch(r"-?\d+( -?\d+)*", digits):
        return el("value", digits, xsi_type="ST")
    scale = amount("scale", {**origin, "value": data.get("factor", 1)})
    return el("value", amount("origin", origin), scale, el("digits", digits), xsi_type="SLIST_PQ")
