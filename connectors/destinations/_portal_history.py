"""Ask a card's history whether the record of a visit arrived: the only question about a file that the portal has at all.

The history can say yes: a visit of this facility that began and ended at the same times, whose detail names the same MA_LK. It
cannot say no: how soon a record stands there is not known. Nor does it tell a corrected record from the one before. So what is
not confirmed is left to a person.

Standard: fields as in public programs, second-hand; that the detail names MA_LK is not known and is looked for
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from connectors.contract import CardQuestion, Outbound, Receipt
from connectors.destinations._http import plain_code
from connectors.destinations._portal_calls import call_of, parameters
from connectors.destinations._portal_cards import PortalCards
from connectors.faults import CannotAsk, Throttled, Unreachable
from mappings.formats import safe_xml
from mappings.formats.faults import Fault

_MOST_DETAILS = 2


@dataclass(frozen=True)
class Visit:
    """What a record says about itself, as far as the history can be compared with it."""

    number: str
    question: CardQuestion
    began: str
    ended: str


async def find(where: str, cards: PortalCards, facility: str, document: Outbound) -> Receipt:
    """Give the receipt of a record that the history confirms; raises CannotAsk for everything else."""
    visit = _visit(document)
    if visit is None or parameters(document.media_type).get("corrects"):
        raise CannotAsk(where)
    try:
        history = _object((await cards.look_up(visit.question)).body)
        candidates = [
            record
            for one in _list(history.get("dsLichSuKCB2018"))
            if plain_code(one.get("maCSKCB")) == facility
            and _same(one.get("ngayVao"), visit.began)
            and _same(one.get("ngayRa"), visit.ended)
            and (record := plain_code(one.get("maHoSo")))
        ]
        for record in candidates[:_MOST_DETAILS]:
            answer = await cards.detail(record)
            if visit.number in _numbers(_object(answer.body)):
                return Receipt(record, answer.body, {"answer": "history", "maHoSo": record})
    except (Unreachable, Throttled):
        raise
    except Fault as fault:
        raise CannotAsk(where, f"LT{fault.code:04d}") from fault
    raise CannotAsk(where)


def _visit(document: Outbound) -> Visit | None:
    """Read XML1 of a file of one visit; None when it is none, or does not say enough."""
    if call_of(document).name != "record":
        return None
    try:
        root = safe_xml.parse(document.body)
        files = root.findall("THONGTINHOSO/DANHSACHHOSO/HOSO/FILEHOSO")
        inner = [one.findtext("NOIDUNGFILE") or "" for one in files if one.findtext("LOAIHOSO") == "XML1"]
        if len(inner) != 1:
            return None
        summary = safe_xml.parse(base64.b64decode(inner[0]))
    except (Fault, binascii.Error, ValueError):
        return None
    said = {
        name: (summary.findtext(name) or "").strip()
        for name in ("MA_LK", "MA_THE_BHYT", "HO_TEN", "NGAY_SINH", "NGAY_VAO", "NGAY_RA")
    }
    if not all(said.values()):
        return None
    question = CardQuestion(said["MA_THE_BHYT"].split(";")[-1].strip(), said["HO_TEN"], _born(said["NGAY_SINH"]))
    return Visit(said["MA_LK"], question, said["NGAY_VAO"], said["NGAY_RA"])


def _born(digits: str) -> str:
    """Write NGAY_SINH as the look-up wants it: parts that are not known are 00 there and left out here."""
    year, month, day = digits[:4], digits[4:6], digits[6:8]
    if month in ("", "00"):
        return year
    return f"{month}/{year}" if day in ("", "00") else f"{day}/{month}/{year}"


def _same(shown: object, written: str) -> bool:
    """Compare two times, as precisely as the less precise of them, and at least by the day."""
    text = re.sub(r"^(\d{2})/(\d{2})/(\d{4})", r"\3\2\1", shown.strip()) if isinstance(shown, str) else ""
    digits = re.sub(r"\D", "", text)
    length = min(len(digits), len(written))
    return length >= 8 and digits[:length] == written[:length]


def _numbers(detail: object) -> Iterator[str]:
    """Find every MA_LK in a detail, by the name of its field or inside XML that it quotes."""
    if isinstance(detail, dict):
        for name, value in detail.items():
            if re.sub(r"[^a-z]", "", str(name).lower()) == "malk" and isinstance(value, str):
                yield value.strip()
            yield from _numbers(value)
    elif isinstance(detail, list):
        for one in detail:
            yield from _numbers(one)
    elif isinstance(detail, str):
        yield from re.findall(r"<MA_LK>\s*([^<]*?)\s*</MA_LK>", detail)


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _list(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
