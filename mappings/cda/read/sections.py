"""The body of a document: sections with their narrative and entries, or one file in place of them.

Standard: CDA R2 §4.3.1, §4.3.2
"""

from __future__ import annotations

from mappings.cda import faults
from mappings.cda.read import narrative
from mappings.cda.read.attachments import non_xml_body_to_section
from mappings.cda.read.codings import cd_to_codeable_concept
from mappings.cda.read.draft import Draft, Place
from mappings.cda.read.elements import TERMINOLOGY, Element, compact
from mappings.cda.read.node import TEXT, Node
from mappings.cda.read.people import assigned_to_reference
from mappings.cda.read.relations import STATEMENTS
from mappings.cda.read.statements import read_statement

_DEEPEST = 16
_EMPTY = {"NASK": "notasked", "NAV": "unavailable", "MSK": "withheld", "UNK": "unavailable", "NI": "unavailable"}


def show_narratives(draft: Draft) -> None:
    """Remember the words of all narratives by ID, before any entry refers to them."""
    for node in draft.root.walk():
        if node.raw is not None:
            for key, words in narrative.texts_by_id(node.raw).items():
                draft.shown.setdefault(key, words)


def body_to_sections(draft: Draft) -> list[Element]:
    """Make the sections of the Composition and the resources of their entries."""
    sections: list[Element] = []
    for component in draft.root.all("component"):
        for each in component.all("structuredBody"):
            for inner in each.all("component"):
                sections += [made for node in inner.all("section") if (made := _section(node, draft, Place()))]
        for each in component.all("nonXMLBody"):
            made = non_xml_body_to_section(each, draft)
            sections += [made] if made else []
    return sections


def _section(node: Node, draft: Draft, place: Place, depth: int = 0) -> Element | None:
    code = node.first("code")
    concept = cd_to_codeable_concept(code, draft) if code else None
    codes = [coding["code"] for coding in (concept or {}).get("coding", [])]
    inner = Place(codes[0] if codes else place.section, 0, place.security)
    secret = node.first("confidentialityCode")["code"]
    if secret in ("L", "M", "N", "R", "U", "V") and secret not in inner.security:
        inner.security = (*inner.security, secret)
    about = node.first("subject")
    if about:
        draft.notice(faults.ABOUT_ANOTHER, about.where())
    authors = [who for one in node.all("author") if (who := assigned_to_reference(one.first("assignedAuthor"), draft))]
    title = node.first("title").all_said()
    block = node.first("text")
    div = _narrative(block, draft) if block.raw is not None else ""
    entries: list[str] = []
    for entry in node.all("entry"):
        if about:
            entry.leave("in a section about somebody else")
            continue
        if not draft.patient:
            entry.leave("a statement about nobody; the document does not say whose it is")
            continue
        for statement in entry.children:
            if statement.name in STATEMENTS:
                entries += read_statement(statement, draft, inner)
    sections: list[Element] = []
    for component in node.all("component"):
        for below in component.all("section"):
            if depth + 1 > _DEEPEST:
                below.leave("sections within sections, too deep")
            elif made := _section(below, draft, inner, depth + 1):
                sections.append(made)
    made_of = compact(
        {
            "title": title,
            "code": concept,
            "author": [{"reference": one} for one in dict.fromkeys(authors)],
            "text": {"status": "additional", "div": div} if div else None,
            "entry": [{"reference": one} for one in dict.fromkeys(entries)],
            "section": sections,
        }
    )
    if not (div or entries or sections):
        reason = _EMPTY.get(node["nullFlavor"], "")
        if not (title or concept):
            return None
        made_of["text"] = {"status": "empty", "div": narrative.empty_div(title or codes[0] if codes else title)}
        made_of["emptyReason"] = {
            "coding": [{"system": f"{TERMINOLOGY}/list-empty-reason", "code": reason or "unavailable"}]
        }
    for part in (code, node.first("title"), block):
        part.path = part.path or f"Composition.section.{part.name}"
    return made_of


def _narrative(block: Node, draft: Draft) -> str:
    assert block.raw is not None
    where = block.where()
    div = narrative.text_to_div(block.raw, lambda name: draft.notice(faults.ACTIVE_CONTENT, where, _plain(name)))
    block.take("ID", "mediaType", "styleCode")
    if div:
        block.claims.add(TEXT)
    return div


def _plain(name: str) -> str:
    return name if name.isascii() and name.isalnum() and len(name) <= 32 else ""
