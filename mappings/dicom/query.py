"""Tell of a study what a query asks (QIDO-RS), and the metadata of its objects (WADO-RS), from their headers.

Whose a study is, the record says and not the headers: the patient's attributes of an answer come from the record's Patient.
Does not look for anything and does not decide who may know.

Standard: DICOM PS3.18 §10.6.3.3 (attributes of answers), §10.4.1.1.2 (metadata), Annex F; PS3.5 §6.2.1 (PN)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from mappings.dicom import matching
from mappings.dicom.attributes import Attributes, has, items, text, texts
from mappings.dicom.body import Entry
from mappings.dicom.header import INSTANCE, SERIES, SOP_CLASS, STUDY
from mappings.dicom.values import single
from mappings.outcome import Resource

Level = Literal["study", "series", "instance"]
PATIENT_ID, ACCESSION, MODALITIES, MODALITY = "00100020", "00080050", "00080061", "00080060"
STUDY_DATE, REQUEST = "00080020", "00400275"
KEYS: Mapping[Level, tuple[str, ...]] = {
    "study": (STUDY_DATE, "00080030", ACCESSION, MODALITIES, "00080090", "00100010", PATIENT_ID, STUDY, "00200010"),
    "series": (
        *(MODALITY, SERIES, "00200011", "00400244", "00400245"),
        *(f"{REQUEST}/00400009", f"{REQUEST}/00401001"),
    ),
    "instance": (INSTANCE, SOP_CLASS, "00200013"),
}
"""What can be asked by, at each level: all that the standard requires; below a sequence behind a slash."""
_TOLD: Mapping[Level, tuple[str, ...]] = {
    "study": ("00080020", "00080030", ACCESSION, "00080090", "00080201", "00081030", STUDY, "00200010"),
    "series": (MODALITY, "00080201", "0008103E", STUDY, SERIES, "00200011", "00400244", "00400245", "00400275"),
    "instance": (
        *(SOP_CLASS, INSTANCE, "00080201", STUDY, SERIES, "00200013"),
        *("00280008", "00280010", "00280011", "00280100"),
    ),
}
"""What answers tell of the headers, present or not."""
_CHARSET, _URL, _AVAILABLE = "00080005", "00081190", "00080056"
_UTF8 = {"vr": "CS", "Value": ["ISO_IR 192"]}
_SEXES = {"male": "M", "female": "F", "other": "O"}
_BULK = ("BulkDataURI",)


@dataclass(frozen=True)
class Include:
    """What is to be told beside the usual, where all objects that an answer is about say the same."""

    tags: frozenset[str] = frozenset()
    everything: bool = False


@dataclass(frozen=True)
class Whose:
    """The person of a study."""

    attributes: Attributes = field(repr=False)
    """As `patient_to_attributes` makes them."""
    moved: bool = False
    """Whether the headers name somebody else, so that nothing they say of a patient is told."""
    away: bool = False
    """Whether objects of it cannot be had here any more."""


def tag_of(name: str) -> str:
    """Give the tag of an attribute written as keyword or as eight hexadecimal digits; `""` for anything else."""
    if len(name) == 8 and all(char in "0123456789abcdefABCDEF" for char in name):
        return name.upper()
    found = tag_for_keyword(name) if name.isalnum() else None
    return "" if found is None else f"{found:08X}"


def path_of(name: str) -> str:
    """Give the path of an attribute, of one below a sequence written with dots; `""` for anything else."""
    tags = [tag_of(one) for one in name.split(".")]
    return "/".join(tags) if all(tags) else ""


def keyword(path: str) -> str:
    """Give the keyword of a tag, of a path with dots; the tag where it has none."""
    return ".".join(keyword_for_tag(int(tag, 16)) or tag for tag in path.split("/"))


def vr(path: str) -> str:
    """Give the value representation of what a path leads to."""
    return single(dictionary_VR(int(path.rpartition("/")[2], 16)))


def patient_to_attributes(patient: Resource, number: str) -> dict[str, Any]:
    """Make the attributes of a Patient that answers tell; one that is not known is empty."""
    born = str(patient.get("birthDate", ""))
    return {
        "00100010": _element("00100010", [{"Alphabetic": name} for name in _names(patient)[:1]]),
        PATIENT_ID: _element(PATIENT_ID, [number] if number else []),
        "00100030": _element("00100030", [born.replace("-", "")] if len(born) == 10 else []),
        "00100040": _element("00100040", [_SEXES[sex]] if (sex := str(patient.get("gender"))) in _SEXES else []),
    }


def _names(patient: Resource) -> list[str]:
    """Write the names as PN: family, given, middle; what is not split stays so."""
    found = []
    for name in patient.get("name", ()):
        *middle, given = [_part(one) for one in name.get("given", ())] or [""]
        family = _part(name.get("family", ""))
        parts = [family, given, " ".join(middle)] if family or given else [_part(name.get("text", ""))]
        found.append("^".join(parts).rstrip("^"))
    return [one for one in found if one]


def _part(said: object) -> str:
    return " ".join(str(said).translate(str.maketrans("^=\\", "   ")).split())


def study_to_answer(entries: Sequence[Entry], whose: Whose, url: str, include: Include) -> dict[str, Any]:
    """Tell of a study; `url` is where it is retrieved."""
    modalities = said(entries, MODALITY)
    counted = {
        MODALITIES: _element(MODALITIES, modalities),
        "00201206": _element("00201206", [len(said(entries, SERIES))]),
        "00201208": _element("00201208", [len(entries)]),
    }
    return _answer(("study",), entries, whose, url, include, counted)


def series_to_answers(entries: Sequence[Entry], whose: Whose, url: str, include: Include) -> list[dict[str, Any]]:
    """Tell of every series of a study."""
    by_series: dict[str, list[Entry]] = {}
    for entry in entries:
        by_series.setdefault(text(entry.attributes, SERIES), []).append(entry)
    return [
        _answer(
            ("series",),
            members,
            whose,
            f"{url}/series/{uid}",
            include,
            {"00201209": _element("00201209", [len(members)])},
        )
        for uid, members in by_series.items()
    ]


def instances_to_answers(
    entries: Sequence[Entry], whose: Whose, url: str, include: Include, *, of_study: bool = True
) -> list[dict[str, Any]]:
    """Tell of every object; `of_study`: of several series, so that what is told of its series is told of each."""
    levels: tuple[Level, ...] = ("series", "instance") if of_study else ("instance",)
    return [
        _answer(
            levels,
            [entry],
            whose,
            f"{url}/series/{text(entry.attributes, SERIES)}/instances/{text(entry.attributes, INSTANCE)}",
            include,
            {},
        )
        for entry in entries
    ]


def _answer(
    levels: Sequence[Level],
    entries: Sequence[Entry],
    whose: Whose,
    url: str,
    include: Include,
    counted: Mapping[str, Any],
) -> dict[str, Any]:
    own = [entry.attributes for entry in entries]
    told = [tag for level in levels for tag in _TOLD[level]]
    found = {tag: next((one[tag] for one in own if has(one, tag)), _element(tag, [])) for tag in told}
    asked = own[0].keys() if include.everything else include.tags
    found |= {
        tag: own[0][tag]
        for tag in asked
        if tag not in found
        and tag in own[0]
        and not (whose.moved and tag.startswith("0010"))
        and all(one.get(tag) == own[0][tag] for one in own)
    }
    found |= counted
    if "study" in levels or include.everything:
        found |= whose.attributes
    else:
        found |= {tag: value for tag, value in whose.attributes.items() if tag in include.tags}
    found[_AVAILABLE] = _element(_AVAILABLE, ["UNAVAILABLE" if whose.moved or whose.away else "ONLINE"])
    found[_URL] = _element(_URL, [url])
    return dict(sorted(without_bulk({_CHARSET: _UTF8} | found).items()))


def fits(answer: Attributes, wanted: matching.Query) -> bool:
    """Tell whether an answer has what is asked for; what it does not have fits nothing. Raises as `matching.matches`."""
    return matching.matches(_with_empty(answer, wanted), wanted)


def _with_empty(answer: Attributes, wanted: matching.Query) -> dict[str, Any]:
    """Add what is asked for and not there, empty, so that it is compared."""
    found = dict(answer)
    below: dict[str, dict[str, str]] = {}
    for path, asked in wanted.items():
        tag, _, rest = path.partition("/")
        found.setdefault(tag, _element(tag, []))
        if rest:
            below.setdefault(tag, {})[rest] = asked
    for tag, inner in below.items():
        found[tag] = {"vr": "SQ", "Value": [_with_empty(item, inner) for item in items(answer, tag)]}
    return found


def study_fits(answer: Attributes, entries: Sequence[Entry], numbers: Collection[str], wanted: matching.Query) -> bool:
    """Tell whether a study has what is asked for; `numbers` are those that its patient is known by, compared in any case."""
    known = [number.casefold() for number in numbers]
    asked = dict(wanted)
    if PATIENT_ID in asked:
        asked[PATIENT_ID] = asked[PATIENT_ID].casefold()
    compared = {
        **answer,
        PATIENT_ID: _element(PATIENT_ID, known),
        ACCESSION: _element(ACCESSION, said(entries, ACCESSION)),
    }
    return fits(compared, asked)


def day_fits(started: str, wanted: matching.Query) -> bool:
    """Tell by what its ImagingStudy says, before headers are looked at, whether a study may be of the days asked for."""
    first, last = matching.days_asked(wanted, STUDY_DATE)
    day = started[:10].replace("-", "")
    return len(day) != 8 or ((not first or first <= day) and (not last or day <= last))


def said(entries: Iterable[Entry], tag: str) -> list[str]:
    """Give what the objects say in an attribute, each once."""
    return list(dict.fromkeys(value for entry in entries for value in texts(entry.attributes, tag)))


def without_bulk(attributes: Attributes) -> dict[str, Any]:
    """Give a header without what it only refers to; all of its text is UTF-8."""
    found: dict[str, Any] = {}
    for tag, element in attributes.items():
        if any(name in element for name in _BULK):
            continue
        if tag == _CHARSET:
            found[tag] = _UTF8
        elif element.get("vr") == "SQ" and "Value" in element:
            found[tag] = {"vr": "SQ", "Value": [without_bulk(item) for item in element["Value"]]}
        else:
            found[tag] = element
    return found


def _element(tag: str, values: Sequence[Any]) -> dict[str, Any]:
    vr = single(dictionary_VR(int(tag, 16)))
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}
