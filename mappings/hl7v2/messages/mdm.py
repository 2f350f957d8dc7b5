"""MDM: a document came to be, changed, or was withdrawn.

T01 and T02 original, T03 and T04 change of status, T05 and T06 addendum, T07 and T08 edit, T09 and T10 replacement, T11
cancellation; even events carry the content. A document is one resource through all of them.

Standard: HL7 v2.5.1 §9.4
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha1
from html import escape
from typing import Any

from mappings.hl7v2 import faults
from mappings.hl7v2.actors import reference
from mappings.hl7v2.attachments import ed_to_attachment, obx_to_attachment, rp_to_attachment
from mappings.hl7v2.datatypes import Element, code_of, compact, joined, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.enclosed import ignore_beside
from mappings.hl7v2.formatted import ft_to_xhtml, is_formatted
from mappings.hl7v2.orders import Orders
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.con import con_to_consent
from mappings.hl7v2.segments.msh import ABSENT
from mappings.hl7v2.segments.nte import nte_to_annotation
from mappings.hl7v2.segments.obx import is_document, obx_to_observation
from mappings.hl7v2.segments.txa import (
    txa_to_content_type,
    txa_to_document_reference,
    txa_to_provenance,
    txa_to_related,
    txa_to_replaced,
)
from mappings.hl7v2.values import TEXT_TYPES, is_paper_field
from mappings.hl7v2.visit import Texts, note, open_message, open_visit, relatives

TRIGGERS = tuple(f"MDM^T{event:02}" for event in range(1, 12))

_TXA_TELLS = "about the document, of which TXA tells"


def map_message(draft: Draft) -> None:
    """Map a document notification; a message without content leaves the content that is known.

    Raises `MissingSegment` without TXA.
    """
    txa = draft.reader.first("TXA")
    if txa is None:
        raise faults.MissingSegment("TXA")
    pid = open_message(draft)
    open_visit(draft, pid)
    relatives(draft)
    orders, interpreters = _orders(draft)
    document = txa_to_document_reference(txa, draft)
    content = _Content(draft, f"DocumentReference/{document['id']}")
    content.take()
    document["content"] = content.entries(txa_to_content_type(txa))
    related = [*orders, *(one for one in txa_to_related(txa, draft) if one not in orders), *content.observations]
    if related:
        document.setdefault("context", {})["related"] = related
    if "authenticator" not in document and interpreters:
        document["authenticator"] = interpreters[0]
    replaced = txa_to_replaced(txa, draft, document)
    if replaced:
        draft.add(replaced, txa)
    target = draft.add(document, txa, *content.origins)
    provenance = txa_to_provenance(txa, draft, target)
    if provenance:
        draft.add(provenance, txa)
    for con in draft.reader.all("CON"):
        consent = con_to_consent(con, draft)
        if consent:
            draft.add(consent, con)


def _orders(draft: Draft) -> tuple[list[Element], list[Element]]:
    """Take the orders before TXA; give references to them and to their reports, and who interpreted.

    An order has a report here only when OBR-25 tells its status: the document is TXA's.
    """
    groups: list[list[Segment]] = []
    for segment in draft.reader.segments:
        if segment.name == "TXA":
            break
        if segment.name == "ORC" or (
            segment.name == "OBR" and (not groups or any(o.name == "OBR" for o in groups[-1]))
        ):
            groups.append([])
        if groups:
            groups[-1].append(segment)
    for group in groups:
        Orders(draft, results=any(one.peek(25) for one in group if one.name == "OBR")).take(group)
    made = [target for group in groups for one in group if one.name in ("ORC", "OBR") for target in one.made]
    related = [target for target in dict.fromkeys(made) if target.startswith(("ServiceRequest/", "DiagnosticReport/"))]
    interpreters = [person for target in related for person in draft.get(target).get("resultsInterpreter", [])]
    return [reference(target) for target in related], interpreters


@dataclass
class _Piece:
    """One piece of text."""

    title: str
    text: str
    created: str
    html: str
    """The same with its look; empty when it has none but line breaks."""


class _Content:
    """What the OBX segments after TXA hold: text in one attachment, data one by one, anything else as observations."""

    def __init__(self, draft: Draft, document: str) -> None:
        self._draft = draft
        self._document = document
        self._pieces: list[_Piece] = []
        self._attachments: list[Element] = []
        self._comments: list[str] = []
        self._papers = Texts(draft)
        self.observations: list[Element] = []
        self.origins: list[Segment] = []

    def take(self) -> None:
        segments = self._draft.reader.segments
        begin = next(n for n, segment in enumerate(segments) if segment.name == "TXA")
        observation: dict[str, Any] | None = None
        for segment in segments[begin + 1 :]:
            if segment.name == "OBX":
                observation = self._obx(segment)
            elif segment.name == "NTE" and observation is not None:
                note(observation, segment, self._draft)
            elif segment.name == "NTE":
                annotation = nte_to_annotation(segment, self._draft)
                if annotation:
                    self._comments.append(annotation["text"])
                    self.origins.append(segment)

    def _obx(self, obx: Segment) -> dict[str, Any] | None:
        draft = self._draft
        if is_paper_field(obx):
            told = self._papers.take(obx, self._document)
            if told:
                self.observations.append(reference(f"Observation/{told['id']}"))
            return told
        if is_document(obx):
            self._leave_rest(obx)
            self._data(obx, code_of(obx.peek(2).text).upper())
            return None
        kind = code_of(obx.peek(2).text).upper()
        if kind in TEXT_TYPES:
            self._text(obx, kind)
            return None
        observation = obx_to_observation(obx, draft)
        if observation:
            self.observations.append(reference(draft.add(observation, obx)))
        return observation

    def _data(self, obx: Segment, kind: str) -> None:
        """Take every repetition as an attachment of its own."""
        attachment = obx_to_attachment(obx, self._draft)
        if attachment is None:
            return
        title = attachment.get("title", "")
        others = [
            rp_to_attachment(one, title) if kind == "RP" else ed_to_attachment(one, self._draft, title)
            for one in obx.peek(5).repetitions[1:]
        ]
        self._attachments += [attachment, *(other for other in others if other)]

    def _text(self, obx: Segment, kind: str) -> None:
        self._leave_rest(obx)
        text = joined(obx.peek(5).repetitions)
        if not text:
            for n in obx.fields & {3, 5, 14}:
                obx.ignore(n, "a line without text")
            return
        written = obx[5].raw
        look = kind == "FT" and is_formatted(written, self._draft.delimiters)
        self._pieces.append(
            _Piece(
                title=words(obx[3].c(2)) or words(obx[3].c(1)),
                text=text,
                created=self._draft.moment(obx, 14),
                html=ft_to_xhtml(written, self._draft.delimiters) if look else "",
            )
        )

    def _leave_rest(self, obx: Segment) -> None:
        self.origins.append(obx)
        ignore_beside(obx)
        for n in obx.fields & {11, 13, 15, 16, 23, 24, 25, 31}:
            obx.ignore(n, _TXA_TELLS)

    def entries(self, content_type: str) -> list[Element]:
        """Give DocumentReference.content: never empty, but it may say that nothing was sent."""
        found = [self._joined()] if self._pieces else []
        found += self._attachments
        found += [text_attachment(comment) for comment in self._comments]
        if not found:
            found = [{"contentType": content_type} if content_type else dict(ABSENT)]
        return [{"attachment": one} for one in found]

    def _joined(self) -> Element:
        """Join the text; a heading stands where the parts have different ones."""
        titles = list(dict.fromkeys(piece.title for piece in self._pieces if piece.title))
        formatted = any(piece.html for piece in self._pieces)
        lines: list[str] = []
        last = ""
        for piece in self._pieces:
            if len(titles) > 1 and piece.title not in ("", last):
                last = piece.title
                lines += [f"<h3>{escape(last)}</h3>"] if formatted else ["", last] if lines else [last]
            lines.append((piece.html or _paragraphs(piece.text)) if formatted else piece.text)
        text = "\n".join(lines)
        created = max(piece.created for piece in self._pieces)
        if formatted:
            return text_attachment(f"<div>\n{text}\n</div>", "text/html", ", ".join(titles), created)
        return text_attachment(text, "text/plain", ", ".join(titles), created)


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(line, quote=False)}</p>" for line in text.split("\n"))


def text_attachment(text: str, content_type: str = "text/plain", title: str = "", created: str = "") -> Element:
    """Make an Attachment of text, with its size and its hash."""
    data = text.encode()
    return compact(
        {
            "contentType": f"{content_type}; charset=utf-8",
            "data": b64encode(data).decode(),
            "size": len(data),
            "hash": b64encode(sha1(data, usedforsecurity=False).digest()).decode(),
            "title": title,
            "creation": created,
        }
    )
