"""CD, CE, CV, CO and CS as CodeableConcept and Coding, claiming of published code systems only what they have.

Standard: HL7 v3 Data Types R1 CD; FHIR R4 §2.24.0.8
"""

from __future__ import annotations

from mappings.cda.read.draft import Draft
from mappings.cda.read.elements import Element, compact, first_coding, shown
from mappings.cda.read.node import Node
from mappings.cda.read.systems import uri_of
from mappings.fhir import vocabulary
from mappings.hl7v2.codings import language_code, well_formed
from mappings.systems import DICOM, LANGUAGE

_PUBLISHED = ("http://terminology.hl7.org/CodeSystem/", "http://hl7.org/fhir/CodeSystem/")
NAMES_THE_SYSTEM = "names the code system, which its OID tells"
NAMES_A_VALUE_SET = "names a value set; the code stands by itself"


def cd_to_codeable_concept(cd: Node, draft: Draft) -> Element | None:
    """Make a CodeableConcept: the code, its translations, and what was originally said; nothing when nothing is said."""
    codings: list[Element] = []
    for part in (cd, *cd.all("translation")):
        coding = cd_to_coding(part)
        if coding and coding not in codings:
            codings.append(coding)
    text = _words(cd, draft) or _words(cd.first("translation"), draft)
    if not text and not codings:
        text = cd["displayName"] or cd.said()
    qualified = [said for one in cd.all("qualifier") if (said := _qualifier(one, draft))]
    if qualified:
        whole = text or cd.peek("displayName") or cd.peek("code")
        text = f"{whole} ({', '.join(qualified)})"
    return compact({"coding": codings, "text": text}) or None


def _words(cd: Node, draft: Draft) -> str:
    """Give the original words; those of a reference that do not name what the code does are put behind its name."""
    said, name = original_text(cd, draft), cd.peek("displayName")
    inline = cd.first("originalText").words
    if not said or inline or not name or set(said.casefold().split()) & set(name.casefold().split()):
        return said
    return f"{name} · {said}"


def _qualifier(qualifier: Node, draft: Draft) -> str:
    """Write a qualifier (left, severe …) as words: a code of FHIR R4 has none."""
    value = cd_to_codeable_concept(qualifier.first("value"), draft)
    name = cd_to_codeable_concept(qualifier.first("name"), draft)
    said, of = shown(value) or first_coding(value).get("code", ""), shown(name)
    return f"{of}: {said}" if of and said else said


def cd_to_coding(cd: Node) -> Element | None:
    """Make a Coding of the code itself."""
    code = " ".join(cd["code"].split())
    if not code:
        return None
    if cd.peek("codeSystem"):
        cd.ignore("codeSystemName", NAMES_THE_SYSTEM)
    for name in ("sdtc:valueSet", "sdtc:valueSetVersion"):
        cd.ignore(name, NAMES_A_VALUE_SET)
    system = uri_of(cd["codeSystem"], cd.peek("codeSystemName") if cd.peek("codeSystem") else cd["codeSystemName"])
    display = cd["displayName"]
    if not system:
        cd.give_back("codeSystem")
        return compact({"code": code, "display": display})
    return coding(system, code, display, cd["codeSystemVersion"])


def coding(system: str, code: str, display: str, version: str = "") -> Element:
    """Write a Coding; a code that a published system does not have is given without system, as somebody's own."""
    official = vocabulary.members(system)
    if official is not None:
        for spelled in (code, code.upper(), code.lower()):
            if spelled in official:
                return compact({"system": system, "code": spelled, "display": official[spelled]})
        return compact({"code": code, "display": display})
    if system.startswith(_PUBLISHED) or not well_formed(system, code):
        return compact({"code": code, "display": display})
    version = " ".join(version.split())
    return compact({"system": system, "version": version, "code": code, "display": "" if system == DICOM else display})


def original_text(cd: Node, draft: Draft) -> str:
    """Give what was originally said: the words, or those of the narrative that are referred to."""
    return ed_to_text(cd.first("originalText"), draft)


def ed_to_text(ed: Node, draft: Draft) -> str:
    """Give the words of ED or ST, or those of the narrative that its reference leads to (`#id`)."""
    if not ed:
        return ""
    reference = ed.first("reference")
    target = reference.peek("value")
    words = draft.shown.get(target.removeprefix("#"), "") if target else ""
    if words:
        reference.take("value")
    elif target.startswith("#"):
        reference.give_back("value", "leads to nothing in the narrative")
    said = ed.prose()
    if not said and any(child.name != "reference" for child in ed.children):
        said = " ".join(part.all_said() for part in ed.children if part.name not in ("reference", "thumbnail")).strip()
    return said or words


def ed_to_name(ed: Node, draft: Draft) -> str:
    """Give the words of ED as the name of something without a code; a pointer to a whole section or table names nothing."""
    said = ed_to_text(ed, draft)
    return said if ed.words or (len(said) <= _LONGEST_NAME and "\n" not in said) else ""


_LONGEST_NAME = 250


def language(cs: Node) -> str:
    """Give the BCP 47 code of a language; `""` (given back) for one that nobody knows."""
    found = language_code(cs["code"].replace("_", "-"))
    if not found:
        cs.give_back("code")
    return found


def language_concept(cs: Node) -> Element | None:
    """Make the CodeableConcept of a language; words alone when its code is not known."""
    said = cs.peek("code")
    found = language(cs) if said else ""
    if found:
        return {"coding": [{"system": LANGUAGE, "code": found}]}
    return {"text": said} if said else None


def code_in(cd: Node, table: dict[str, str], default: str = "") -> str:
    """Look up a code in a table of ours; a code that is not in it is given back and the default holds."""
    said = cd["code"]
    if said and said not in table:
        cd.give_back("code")
    return table.get(said, default)
