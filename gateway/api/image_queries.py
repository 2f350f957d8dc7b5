"""Read the parameters of a query for pictures (QIDO-RS): of a form, or of an address.

    studies   StudyDate, StudyTime, AccessionNumber, ModalitiesInStudy, ReferringPhysicianName, PatientName, PatientID,
              StudyInstanceUID, StudyID; one of them at least beside ModalitiesInStudy and StudyTime
    series    Modality, SeriesInstanceUID, SeriesNumber, PerformedProcedureStepStartDate and …Time,
              RequestAttributesSequence.ScheduledProcedureStepID and .RequestedProcedureID
    objects   SOPClassUID, SOPInstanceUID, InstanceNumber; of a whole study also what series are asked by
    includefield=all|KEYWORD|TAG, limit, offset, fuzzymatching      everywhere

Days and times also by range, texts and names with `*` and `?`, several UIDs or modalities with commas between them. An
attribute that is no key here is passed over and warned of; so is an option that is not known. What is written like an attribute
and is none is refused: passed over, it would make the answer wider than the question.

Standard: DICOM PS3.18 §8.3.4, §10.6.1.2; PS3.4 §C.2.2.2
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gateway.faults import RequestNotUnderstood
from gateway.image_reading import MOST, Question
from mappings.dicom import matching, query
from mappings.dicom.faults import QueryUnreadable
from mappings.dicom.query import Include, Level

UID = re.compile(r"[0-9]+(\.[0-9]+)+")
PAIRS = 60
"""Parameters of one query."""
_LISTED, _DIGITS, _LONGEST = 50, 6, 64
_OURS = frozenset(("accept", "charset", "lang"))
_TOO_WIDE = frozenset((query.MODALITIES, "00080030"))
"""Keys that alone ask for everything."""
_WILD = frozenset("*?")
_PATTERNS = frozenset(("CS", "LO", "PN", "SH"))


@dataclass(frozen=True)
class Asked:
    """The parameters of a query: what is asked for, by path, and what is passed over."""

    values: matching.Query = field(repr=False)
    limit: int
    offset: int
    include: Include
    warnings: tuple[str, ...]


def read(levels: Sequence[Level], pairs: Sequence[tuple[str, str]]) -> Asked:
    """Read parameters; raises RequestNotUnderstood, and never says what was asked."""
    keys = {path for level in levels for path in query.KEYS[level]}
    values: dict[str, list[str]] = {}
    whole = {"limit": MOST, "offset": 0}
    tags: set[str] = set()
    everything, ignored, fuzzy = False, dict[str, None](), False
    if len(pairs) > PAIRS:
        raise RequestNotUnderstood("query", f"{PAIRS} parameters at most")
    for name, said in pairs:
        path = query.path_of(name)
        if name in whole:
            whole[name] = _number(name, said)
        elif name == "includefield":
            everything = everything or "all" in said.split(",")
            tags |= set(_tags(said))
        elif name == "fuzzymatching":
            fuzzy = _truth(name, said)
        elif path in keys:
            values.setdefault(path, []).extend(_values(path, said))
        elif path:
            ignored[query.keyword(path)] = None
        elif name[:1].isupper() or name[:1].isdigit():
            raise RequestNotUnderstood(
                "query", "a key is no attribute: its keyword or its tag of eight digits is expected"
            )
        elif name not in _OURS:
            ignored["a parameter"] = None
    warnings = [f"{name} is not supported and was ignored" for name in ignored]
    if fuzzy:
        warnings.append("The fuzzymatching parameter is not supported. Only literal matching has been performed.")
    asked = {path: _one(path, found) for path, found in values.items() if found}
    return Asked(
        asked, min(whole["limit"], MOST), whole["offset"], Include(frozenset(tags), everything), tuple(warnings)
    )


def _number(name: str, said: str) -> int:
    if not (said.isascii() and said.isdecimal() and len(said) <= _DIGITS):
        raise RequestNotUnderstood(name, "a number")
    return int(said)


def _truth(name: str, said: str) -> bool:
    if said.lower() not in ("true", "false"):
        raise RequestNotUnderstood(name, "true or false")
    return said.lower() == "true"


def _tags(said: str) -> Iterator[str]:
    """Give the attributes that are to be told; of one below a sequence the whole sequence."""
    for one in said.split(","):
        path = query.path_of(one.strip())
        if not path and one.strip() not in ("", "all"):
            raise RequestNotUnderstood("includefield", "all, or keywords and tags of attributes")
        if path:
            yield path.partition("/")[0]


def _values(path: str, said: str) -> Iterator[str]:
    """Give the values of a key; UIDs and modalities may be several."""
    name, vr = query.keyword(path), query.vr(path)
    listed = re.split(r"[,\\]", said) if vr in ("UI", "CS") else [said]
    found = [one.strip() for one in listed if one.strip() not in ("", "*")]
    if len(found) > _LISTED:
        raise RequestNotUnderstood(name, f"{_LISTED} values at most")
    for one in found:
        if vr == "UI" and not UID.fullmatch(one):
            raise RequestNotUnderstood(name, "a UID is expected, no pattern")
        if len(one) > _LONGEST or "\\" in one or (vr not in _PATTERNS and _WILD & set(one)):
            raise RequestNotUnderstood(name, "not a value of this attribute")
        yield one


def _one(path: str, found: Sequence[str]) -> str:
    """Give what is asked for as attribute matching has it: several values with backslashes between them."""
    if len(found) > 1 and query.vr(path) not in ("UI", "CS"):
        raise RequestNotUnderstood(query.keyword(path), "one value")
    try:
        matching.require_readable({path: found[0]})
    except QueryUnreadable:
        raise RequestNotUnderstood(
            query.keyword(path), "a day as YYYYMMDD, a time as HHMMSS, or a range of them"
        ) from None
    return "\\".join(found)


def question(asked: Asked) -> Question:
    """Make the question of a search; raises RequestNotUnderstood for one that asks for everything."""
    if not asked.values.keys() - _TOO_WIDE:
        raise RequestNotUnderstood("query", "PatientID, AccessionNumber, StudyInstanceUID, PatientName or StudyDate")
    return Question(asked.values, asked.limit, asked.offset, asked.include)
