"""Read the parameters of a query for pictures (QIDO-RS): of a form, or of an address.

    PatientID, AccessionNumber, StudyInstanceUID, ModalitiesInStudy       studies: one of the first three at least
    SeriesInstanceUID, Modality, SeriesNumber                             series of a study
    SOPInstanceUID, SOPClassUID, InstanceNumber                           objects of a study
    includefield=all|KEYWORD|TAG, limit, offset                           everywhere

Whole values, no patterns; several UIDs or modalities have commas between them. What is not known is passed over and
warned of.

Standard: DICOM PS3.18 §8.3.4, §10.6.1.2
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.faults import RequestNotUnderstood
from gateway.image_reading import MOST, Question
from mappings.dicom import query
from mappings.dicom.header import STUDY
from mappings.dicom.query import Include, Level

UID = re.compile(r"[0-9]+(\.[0-9]+)+")
PAIRS = 60
"""Parameters of one query."""
_LISTED, _DIGITS, _LONGEST = 50, 6, 64
_OURS = frozenset(("accept", "charset", "lang"))


@dataclass(frozen=True)
class Asked:
    """The parameters of a query: matching values by tag, and what is passed over."""

    values: Mapping[str, tuple[str, ...]]
    limit: int
    offset: int
    include: Include
    warnings: tuple[str, ...]


def read(level: Level, pairs: Sequence[tuple[str, str]]) -> Asked:
    """Read parameters; those that say nothing here are passed over with a warning, as the standard wants it."""
    values: dict[str, tuple[str, ...]] = {}
    whole = {"limit": MOST, "offset": 0}
    tags: set[str] = set()
    everything, ignored, fuzzy = False, dict[str, None](), False
    if len(pairs) > PAIRS:
        raise RequestNotUnderstood("query", f"{PAIRS} parameters at most")
    for name, said in pairs:
        tag = query.tag_of(name)
        if name in whole:
            whole[name] = _number(name, said)
        elif name == "includefield":
            everything = everything or "all" in said.split(",")
            tags |= {found for one in said.split(",") if (found := query.tag_of(one.strip()))}
        elif name == "fuzzymatching":
            fuzzy = fuzzy or said.lower() == "true"
        elif tag in query.KEYS[level]:
            values[tag] = (*values.get(tag, ()), *_values(query.keyword(tag), said))
        elif name not in _OURS:
            ignored[query.keyword(tag) if tag else "a parameter"] = None
    warnings = [f"{name} is not supported and was ignored" for name in ignored]
    if fuzzy:
        warnings.append("The fuzzymatching parameter is not supported. Only literal matching has been performed.")
    asked = {tag: found for tag, found in values.items() if found}
    return Asked(
        asked, min(whole["limit"], MOST), whole["offset"], Include(frozenset(tags), everything), tuple(warnings)
    )


def _number(name: str, said: str) -> int:
    if not (said.isascii() and said.isdecimal() and len(said) <= _DIGITS):
        raise RequestNotUnderstood(name, "a number")
    return int(said)


def _values(name: str, said: str) -> Iterator[str]:
    """Give the values of a parameter: UIDs and modalities may be several; patterns are none."""
    listed = re.split(r"[,\\]", said) if name.endswith("UID") or name.startswith("Modalit") else [said]
    found = [one.strip() for one in listed if one.strip()]
    if len(found) > _LISTED:
        raise RequestNotUnderstood(name, f"{_LISTED} values at most")
    for one in found:
        if "*" in one or "?" in one or "\\" in one:
            raise RequestNotUnderstood(name, "whole values, no patterns")
        if len(one) > _LONGEST or (name.endswith("InstanceUID") and not UID.fullmatch(one)):
            raise RequestNotUnderstood(name, "not a value of this attribute")
        yield one


def question(asked: Asked) -> Question:
    """Make the question of a search; raises RequestNotUnderstood for one that asks for everything."""
    one = {tag: values for tag, values in asked.values.items() if tag != query.MODALITIES}
    if not one:
        raise RequestNotUnderstood("query", "PatientID, AccessionNumber or StudyInstanceUID")
    for tag in (query.PATIENT_ID, query.ACCESSION):
        if len(one.get(tag, ())) > 1:
            raise RequestNotUnderstood(query.keyword(tag), "one value")
    return Question(
        patient=_first(one.get(query.PATIENT_ID, ())),
        accession=_first(one.get(query.ACCESSION, ())),
        studies=one.get(STUDY, ()),
        modalities=asked.values.get(query.MODALITIES, ()),
        limit=asked.limit,
        offset=asked.offset,
        include=asked.include,
    )


def _first(values: Collection[str]) -> str:
    return next(iter(values), "")
