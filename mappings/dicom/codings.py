"""Coded entries of DICOM as CodeableConcept and Coding.

Codes written the SNOMED-RT way (`T-04000`, scheme SRT) become the concept of SNOMED CT that DICOM gives for them; one
that DICOM does not know stays a code of this facility, as every code of a private scheme (`99…`) does.

Standard: DICOM PS3.3 §8; PS3.16 §8
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module

from mappings import codes
from mappings.dicom.attributes import Attributes, items, text, words
from mappings.hl7v2.codings import coding, coding_system
from mappings.hl7v2.context import Context
from mappings.hl7v2.datatypes import Element, code_of, compact
from mappings.systems import DICOM, SNOMED

VALUE, SCHEME, VERSION, MEANING, LONG, URN = "00080100", "00080102", "00080103", "00080104", "00080119", "00080120"
PARTS = frozenset({VALUE, SCHEME, VERSION, MEANING, LONG, URN})
"""Attributes of a coded entry that say what it is."""
_RETIRED = frozenset({"SRT", "SNM3", "99SDM"})


def system_of(scheme: str, context: Context) -> str:
    """Give the URI of a CodingSchemeDesignator; one that nobody else knows becomes one of this facility."""
    table = codes.table("dicom-coding-scheme")
    return table.target(scheme) or table.target(scheme.upper()) or coding_system(scheme, context)


def key(entry: Attributes) -> tuple[str, str]:
    """Give scheme and code, by which concepts are compared: SNOMED-RT codes as the SNOMED CT they mean."""
    scheme, code = text(entry, SCHEME), code_of(_code(entry))
    if scheme in _RETIRED and code in _snomed():
        return "SCT", _snomed()[code]
    return scheme, code


@cache
def _snomed() -> Mapping[str, str]:
    """Give SNOMED-RT → SNOMED CT. The first who asks loads it: 0.2 s and 13 MB, which a node without pictures never needs."""
    found: Mapping[str, str] = import_module("pydicom.sr._snomed_dict").mapping["SRT"]
    return found


def entry_to_coding(entry: Attributes, context: Context) -> Element | None:
    """Make a Coding of a coded entry; `None` without a code."""
    scheme, code = key(entry)
    meaning = words(text(entry, MEANING)) or text(entry, MEANING)
    if not code or len(code) > 200:
        return None
    if scheme == "SCT" and code.isdecimal():
        return coding(SNOMED, code, meaning, context)
    if code.startswith("urn:") and not scheme:
        return compact({"system": "urn:ietf:rfc:3986", "code": code, "display": meaning})
    return coding(system_of(scheme, context), code, meaning, context, text(entry, VERSION))


def entry_to_concept(entry: Attributes, context: Context) -> Element | None:
    """Make a CodeableConcept of a coded entry: its code, and its meaning as text."""
    found = entry_to_coding(entry, context)
    meaning = text(entry, MEANING)
    return compact({"coding": [found] if found else [], "text": meaning}) or None


def concepts(attributes: Attributes, tag: str, context: Context) -> list[Element]:
    """Make the concepts of a code sequence, each once."""
    found = (entry_to_concept(entry, context) for entry in items(attributes, tag))
    return unique([one for one in found if one])


def unique(found: Sequence[Element]) -> list[Element]:
    """Give each element once, in order."""
    return list({repr(one): one for one in found}.values())


def modality(code: str, context: Context) -> Element | None:
    """Make the Coding of a modality, `CT`; `None` for what is none."""
    code = code.strip().upper()
    return coding(DICOM, code, "", context) if 1 < len(code) <= 16 and code.isalnum() else None


def _code(entry: Attributes) -> str:
    return text(entry, VALUE) or text(entry, LONG) or text(entry, URN)
