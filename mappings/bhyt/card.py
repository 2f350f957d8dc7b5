"""A card look-up at the insurance portal: the question that a record gives, and what the answer means to reception and record.

The codes here are those of look-ups. Submissions have others under the same numbers: 124 is a stopped card here and a file with
wrong content there; the two tables never meet. Does not ask, does not decide who is treated.

Standard: look-up KQNhanLichSuKCB2024 and its 26 codes, as public programs use them, second-hand
Requirement: S2.11
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from mappings.bhyt.decisions import digits_to_day
from mappings.formats import json
from mappings.formats.faults import JsonInvalid
from mappings.hl7v2.datatypes import compact
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import Systems


class Step(StrEnum):
    """What reception does next."""

    USE = "use"
    NEW_CARD = "new_card"
    PAPERS = "papers"
    DEMOGRAPHICS = "demographics"
    NOT_NOW = "not_now"
    NUMBER = "number"
    OFFICER = "officer"
    LATER = "later"
    CHILD = "child"
    CALLER = "caller"

    @property
    def usable(self) -> bool:
        """Whether the visit can go on as an insured one."""
        return self in (Step.USE, Step.NEW_CARD)


class Words(NamedTuple):
    vi: str
    en: str


STEPS: Final[Mapping[Step, Words]] = {
    Step.USE: Words("Dùng thẻ này", "Use this card"),
    Step.NEW_CARD: Words(
        "Dùng mã thẻ mới; ghi lại mã thẻ mới vào hồ sơ", "Use the new card, and put its number on file"
    ),
    Step.PAPERS: Words(
        "Xem giấy tờ của quân đội, công an và tiếp nhận theo giấy tờ; cổng không cho biết thêm",
        "See the papers of army or police and admit by them; the portal tells no more",
    ),
    Step.DEMOGRAPHICS: Words(
        "Đối chiếu họ tên, ngày sinh với CCCD, sửa cho đúng rồi tra lại",
        "Compare name and birth date with the identity card, correct them and look up again",
    ),
    Step.NOT_NOW: Words(
        "Thẻ không dùng được lúc này: hỏi thẻ khác, mời người bệnh liên hệ cơ quan BHXH; tạm thu viện phí",
        "The card is not good now: ask for another one, send the person to the insurance; the visit is paid for",
    ),
    Step.NUMBER: Words(
        "Sai mã số: đọc lại mã thẻ hoặc CCCD, tra bằng CCCD 12 số",
        "Wrong number: read it again, or look up by the CCCD",
    ),
    Step.OFFICER: Words(
        "Cán bộ tra cứu chưa đăng ký trên cổng: báo người phụ trách tài khoản, đừng tra lại",
        "The officer is not registered on the portal: tell who answers for the account, do not look up again",
    ),
    Step.LATER: Words("Cổng đang lỗi: tra lại sau vài phút", "The portal has a fault: look up again in some minutes"),
    Step.CHILD: Words(
        "Trẻ chưa có thẻ: tiếp nhận bằng giấy chứng sinh hoặc khai sinh, mã thẻ tạm TE1",
        "A child without a card yet: admit by the birth paper, with a temporary TE1 number",
    ),
    Step.CALLER: Words(
        "Yêu cầu bị cổng từ chối vì tham số hoặc đăng nhập: báo công nghệ thông tin",
        "The portal refused the question for its parameters or log-in: tell IT",
    ),
}


@dataclass(frozen=True)
class CardCode:
    """One code of the look-up table."""

    code: str
    step: Step
    said: Words


@cache
def card_codes() -> Mapping[str, CardCode]:
    """Give the 26 codes."""
    text = files("mappings.bhyt").joinpath("card_codes.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["code"]: CardCode(row["code"], Step(row["step"]), Words(row["vi"], row["en"])) for row in rows}


@dataclass(frozen=True)
class Card:
    """A card and when it is good."""

    number: str
    start: date | None
    end: date | None
    facility: str
    """MA_DKBD, where the person is registered for first care."""
    facility_name: str = ""


@dataclass(frozen=True)
class PastVisit:
    """One visit that the history shows; times as the portal writes them."""

    record: str
    facility: str
    began: str
    ended: str
    disease: str
    state: str
    result: str
    reason: str


@dataclass(frozen=True)
class CardAnswer:
    """What the portal answered."""

    code: str
    step: Step
    said: Words
    note: str
    """ghiChu."""
    card: Card | None
    new: Card | None
    name: str
    born: str
    sex: str
    """`male`, `female` or empty."""
    address: str
    social_number: str
    issuer: str
    area: str
    """K1–K3 or empty."""
    five_years_on: date | None
    history: tuple[PastVisit, ...]
    checks: tuple[str, ...]
    """Times at which assessors looked."""

    @property
    def usable(self) -> Card | None:
        """The card to write on this visit: the new one where there is one; None when none can be used."""
        return (self.new or self.card) if self.step.usable else None


_UNKNOWN = Words("Cổng trả mã chưa biết", "The portal answered with a code that is not known")
_MOST = 500
"""Past visits that are read of one answer."""


def read_answer(body: bytes) -> CardAnswer:
    """Read an answer; what is absent stays empty. A code nobody knows means to try later.

    Raises JsonInvalid when it is no JSON object.
    """
    content = json.loads(body)
    if not isinstance(content, dict):
        raise JsonInvalid("/", "no object")
    code = _text(content, "maKetQua")
    known = card_codes().get(code)
    return CardAnswer(
        code=code,
        step=known.step if known else Step.LATER,
        said=known.said if known else _UNKNOWN,
        note=_text(content, "ghiChu"),
        card=_card(content, "maThe", "gtTheTu", "gtTheDen", "maDKBD", "tenDKBD"),
        new=_card(content, "maTheMoi", "gtTheTuMoi", "gtTheDenMoi", "maDKBDMoi", "tenDKBDMoi"),
        name=_text(content, "hoTen"),
        born=_text(content, "ngaySinh"),
        sex=_SEXES.get(_text(content, "gioiTinh").lower(), ""),
        address=_text(content, "diaChi"),
        social_number=_text(content, "maSoBHXH"),
        issuer=_text(content, "cqBHXH"),
        area=_text(content, "maKV"),
        five_years_on=to_day(_text(content, "ngayDu5Nam")),
        history=tuple(
            PastVisit(*(_text(one, name) for name in _PAST)) for one in _objects(content, "dsLichSuKCB2018")[:_MOST]
        ),
        checks=tuple(_text(one, "thoiGianKT") for one in _objects(content, "dsLichSuKT2018")[:_MOST]),
    )


_PAST = ("maHoSo", "maCSKCB", "ngayVao", "ngayRa", "tenBenh", "tinhTrang", "kqDieuTri", "lyDoVV")
_SEXES = {"nam": "male", "nữ": "female", "nu": "female", "1": "male", "2": "female"}


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    return "" if value is None or isinstance(value, dict | list | bool) else str(value).strip()


def _objects(content: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = content.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _card(content: Mapping[str, Any], number: str, start: str, end: str, facility: str, called: str) -> Card | None:
    said = _text(content, number).upper()
    if not said:
        return None
    start_on, end_on = (to_day(_text(content, name)) for name in (start, end))
    return Card(said, start_on, end_on, _text(content, facility), _text(content, called))


def to_day(text: str) -> date | None:
    """Read a day as the portal writes it, `dd/MM/yyyy` or eight digits; None for anything else."""
    parts = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:\D.*)?", text)
    if parts is None:
        return digits_to_day(text[:8])
    try:
        return date(int(parts[3]), int(parts[2]), int(parts[1]))
    except ValueError:
        return None


# ---- record → question ----


class Asked(NamedTuple):
    """What a look-up is asked with; empty where the record does not say."""

    number: str
    name: str
    born: str


_NUMBER = re.compile(r"[A-Z]{2}[0-9]{3}[0-9A-Z]{10}|[0-9]{10}|[0-9]{12}")


def is_card_number(text: str) -> bool:
    """Tell whether a look-up takes it: a card of 15 characters, 10 digits (BHXH) or 12 digits (CCCD)."""
    return bool(_NUMBER.fullmatch(text))


def is_born(text: str) -> bool:
    """Tell whether a look-up takes it as a birth date: `dd/MM/yyyy`, `MM/yyyy` or `yyyy`."""
    return bool(re.fullmatch(r"(?:(?:0[1-9]|[12]\d|3[01])/)?(?:0[1-9]|1[0-2])/\d{4}|\d{4}", text))


def patient_to_question(patient: Resource, coverages: Iterable[Resource], systems: Systems) -> Asked:
    """Make the question of a Patient: by the card that ends last, else by the CCCD."""
    cards = sorted(
        (one for one in coverages if one.get("status") == "active" and is_card_number(_number(one, systems))),
        key=lambda one: str(one.get("period", {}).get("end", "")),
    )
    numbers = [_number(one, systems) for one in reversed(cards)]
    for system in (systems.bhyt, systems.cccd):
        numbers += [
            str(one.get("value", "")).upper() for one in patient.get("identifier", []) if one.get("system") == system
        ]
    number = next((one for one in numbers if is_card_number(one)), "")
    return Asked(number, _name(patient), _born(str(patient.get("birthDate", ""))))


def _number(coverage: Resource, systems: Systems) -> str:
    found = [one.get("value", "") for one in coverage.get("identifier", []) if one.get("system") == systems.bhyt]
    return str(coverage.get("subscriberId") or next(iter(found), "")).upper()


def _name(patient: Resource) -> str:
    named: Sequence[Resource] = [
        one for one in patient.get("name", []) if one.get("use") not in ("nickname", "old", "maiden")
    ]
    for one in sorted(named, key=lambda name: name.get("use") != "official"):
        said = one.get("text") or " ".join((one.get("family", ""), *one.get("given", [])))
        if said.strip():
            return " ".join(str(said).split())
    return ""


def _born(day: str) -> str:
    return "/".join(reversed(day[:10].split("-"))) if day else ""


# ---- answer → record ----


def answer_to_coverages(answer: CardAnswer, patient: str, systems: Systems) -> list[Resource]:
    """Make the Coverage of each card that the answer tells of; `patient` is the reference of whom it insures.

    The same card has the same id as one that came by IN1. A card that is not good now ends as the answer says and is
    cancelled.
    Nothing for an answer that proves nothing about a card: wrong number, wrong person, faults.
    """
    if answer.step not in (Step.USE, Step.NEW_CARD, Step.NOT_NOW):
        return []
    found = []
    if answer.card is not None:
        good = answer.step is not Step.NOT_NOW and answer.code != "003"
        found.append(_coverage(answer, answer.card, patient, systems, good))
    if answer.new is not None and (answer.card is None or answer.new.number != answer.card.number):
        found.append(_coverage(answer, answer.new, patient, systems, True))
    return found


def _coverage(answer: CardAnswer, card: Card, patient: str, systems: Systems, good: bool) -> Resource:
    form = re.fullmatch(r"([A-Z]{2})([1-5])[0-9A-Z]{12}", card.number)
    national, own = systems.national, systems.own
    extensions: list[Resource] = []
    if form:
        kind = {"coding": [{"system": f"{national}/CodeSystem/vn-bhyt-card-type-cs", "code": form[1]}]}
        extensions.append(
            {"url": f"{national}/StructureDefinition/vn-ext-bhyt-card-type", "valueCodeableConcept": kind}
        )
    if card.facility:
        place = compact(
            {"identifier": {"system": systems.facility, "value": card.facility}, "display": card.facility_name}
        )
        extensions.append(
            {"url": f"{national}/StructureDefinition/vn-ext-primary-care-facility", "valueReference": place}
        )
    if answer.area:
        extensions.append({"url": f"{own}/StructureDefinition/coverage-area", "valueCode": answer.area})
    if answer.five_years_on:
        on = answer.five_years_on.isoformat()
        extensions.append({"url": f"{own}/StructureDefinition/coverage-five-years-on", "valueDate": on})
    classes: list[Resource] = []
    if form:
        coding = {"system": f"{own}/CodeSystem/coverage-class", "code": "benefit-level"}
        classes.append({"type": {"coding": [coding], "text": "Mức hưởng BHYT"}, "value": form[2]})
    number_type = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "SB"}]}
    return compact(
        {
            "resourceType": "Coverage",
            "id": resource_id("Coverage", systems.bhyt, f"{patient}|{card.number}"),
            "extension": extensions,
            "identifier": [{"type": number_type, "system": systems.bhyt, "value": card.number}],
            "status": "active" if good else "cancelled",
            "subscriberId": card.number,
            "beneficiary": {"reference": patient},
            "period": compact(
                {
                    "start": card.start.isoformat() if card.start else "",
                    "end": card.end.isoformat() if card.end else "",
                }
            ),
            "payor": [{"display": answer.issuer or "Bảo hiểm xã hội Việt Nam"}],
            "class": classes,
        }
    )


def answer_to_outcome(answer: CardAnswer, systems: Systems) -> Resource:
    """Say what the answer means as an OperationOutcome: the code, what happened, what to do."""
    severity = {Step.USE: "information", Step.NEW_CARD: "warning", Step.PAPERS: "warning", Step.CHILD: "warning"}
    kind = {Step.LATER: "transient", Step.CALLER: "invalid", Step.OFFICER: "forbidden"}
    coding = {"system": f"{systems.own}/CodeSystem/portal-card-code", "code": answer.code, "display": answer.said.en}
    issue = {
        "severity": severity.get(answer.step, "error"),
        "code": kind.get(answer.step, "informational" if answer.step.usable else "business-rule"),
        "details": {"coding": [coding], "text": answer.said.vi},
        "diagnostics": STEPS[answer.step].vi,
    }
    return {"resourceType": "OperationOutcome", "issue": [issue]}


class Difference(NamedTuple):
    """Something that the insurer knows otherwise than the record does."""

    element: str
    ours: str
    theirs: str


def differences(answer: CardAnswer, patient: Resource) -> list[Difference]:
    """Compare name, birth and sex of a Patient with the answer; what one side does not say is not compared."""
    pairs = (
        Difference("name", _name(patient), answer.name),
        Difference("birthDate", _born(str(patient.get("birthDate", ""))), _shown(answer.born)),
        Difference("gender", str(patient.get("gender", "")), answer.sex),
    )
    return [one for one in pairs if one.ours and one.theirs and one.ours.casefold() != one.theirs.casefold()]


def _shown(born: str) -> str:
    day = to_day(born)
    return day.strftime("%d/%m/%Y") if day else born


# ---- shared costs ----


@dataclass(frozen=True)
class SharedCosts:
    """What a person has paid of shared costs this year, in đồng."""

    code: str
    """200 found · 204 nothing known."""
    paid: int | None
    """The greatest of the cumulated amounts: they are running totals and are never added. None when none is told."""
    visits: int


def read_shared_costs(body: bytes) -> SharedCosts:
    """Read the answer of the shared-cost look-up. Whether six base salaries are passed is for who knows the salary.

    Standard: CV 1839/CNTT-PM of 2026-08-18, second-hand
    """
    content = json.loads(body)
    if not isinstance(content, dict):
        raise JsonInvalid("/", "no object")
    rows = _objects(content, "DataCCT")
    amounts = [
        int(said.partition(".")[0])
        for one in rows
        if re.fullmatch(r"\d{1,15}(\.\d+)?", said := _text(one, "tBNCCTLuyKe"))
    ]
    code = _text(content, "MaKetQua") or _text(content, "maKetQua")
    return SharedCosts(code, max(amounts, default=None), len(rows))
