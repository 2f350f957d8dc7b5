"""Forms that are printed and signed by hand: the hand-over record and the commitment.

HTML without script that loads nothing, or PDF of the same page. What the register does not know stays a dotted line. The words
are ours: no rule prescribes a form. Holds personal data of staff.

Requirement: S0.3, S0.4
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta, timezone
from html import escape
from typing import Any

from sqlalchemy.engine import Row

from gateway.clock import to_datetime
from gateway.settings import FacilitySettings
from mappings.cda.pdf import printed

KINDS = ("handover", "commitment")
DEVICES = {
    "usb_token": "USB token",
    "hsm": "Thiết bị HSM",
    "sim": "SIM",
    "remote": "Ký số từ xa",
    "file": "Tệp khóa (chỉ để thử)",
    "": "",
}
_HERE = timezone(timedelta(hours=7))
_DOTS = "<span class='dots'>……………………</span>"
_STYLE = """
@page { size: A4; margin: 13mm 15mm 12mm 22mm; @bottom-right { content: counter(page) "/" counter(pages); font: 9pt serif } }
body { font: 12pt/1.28 "Liberation Serif", "Times New Roman", Tinos, serif; color: #000; margin: 0 auto; max-width: 170mm }
.head { display: table; width: 100%; table-layout: fixed; font-size: 11.5pt; line-height: 1.3 }
.head > div { display: table-cell; text-align: center; vertical-align: top }
.head .left { width: 47% }
.rule { display: inline-block; border-top: 1px solid; width: 35mm; height: 0 }
h1 { font-size: 14.5pt; line-height: 1.3; text-align: center; text-transform: uppercase;
  margin: 5mm auto 2mm; text-wrap: balance }
h2 { font-size: 12pt; margin: 2.5mm 0 .5mm }
p { margin: 1mm 0; text-align: justify }
.centre { text-align: center } .basis, .hint { font-style: italic }
.facts { margin: 0; columns: 2; column-gap: 6mm } .facts div { margin: .4mm 0; break-inside: avoid }
.facts dt { display: inline } .facts dd { display: inline; margin: 0 }
.facts dt::after { content: ": " }
table { border-collapse: collapse; width: 100%; margin: 1.5mm 0 } tr { break-inside: avoid }
th, td { border: 1px solid; padding: .6mm 2mm; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { width: 38%; font-weight: normal }
ol { margin: .5mm 0; padding-left: 7mm } li { margin: .5mm 0; text-align: justify }
.sign { display: table; width: 100%; table-layout: fixed; margin-top: 3mm; break-inside: avoid }
.sign > div { display: table-cell; text-align: center }
.sign .space { height: 19mm } .sign .hint { font-size: 11pt }
.dots { letter-spacing: .05em }
"""


@dataclass(frozen=True)
class Subject:
    """Whom and what a form is about; `certificate` may not be there yet."""

    facility: FacilitySettings
    holder: Row[Any]
    private: Mapping[str, str]
    certificate: Row[Any] | None


def page(kind: str, subject: Subject) -> bytes:
    """Give a form as HTML in UTF-8."""
    title, body = {"handover": _handover, "commitment": _commitment}[kind](subject)
    return (
        "<!DOCTYPE html>\n<html lang='vi'><head><meta charset='utf-8'>"
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{_head(subject)}{body}</body></html>\n"
    ).encode()


def pdf(kind: str, subject: Subject) -> bytes:
    """Give a form as PDF/UA; raises `PdfUnavailable`."""
    return printed(page(kind, subject))


# ---- the hand-over record ----


def _handover(subject: Subject) -> tuple[str, str]:
    own = subject.certificate
    title = "Biên bản bàn giao|chứng thư chữ ký số và thiết bị lưu khóa bí mật"
    on = own.handed_over_on if own is not None else ""
    giver = _facts([("Họ và tên", own.handed_by if own is not None else ""), ("Chức vụ, bộ phận", "")])
    receiver = _person(subject)
    if subject.holder.kind == "organisation":
        receiver += _facts([("Người được giao quản lý", own.received_by if own is not None else ""), ("Chức vụ", "")])
    body = (
        f"<h1>{_lines(title)}</h1>"
        "<p class='basis'>Căn cứ Luật Giao dịch điện tử số 20/2023/QH15 và Nghị định số 23/2025/NĐ-CP về chữ ký điện tử và "
        "dịch vụ tin cậy;</p>"
        f"<p>Hôm nay, {_day(date.fromisoformat(on) if on else None)}, tại {escape(subject.facility.name)}, chúng tôi gồm:</p>"
        f"<h2>Bên giao</h2>{giver}<h2>Bên nhận (người giữ chứng thư)</h2>{receiver}"
        f"<h2>1. Nội dung bàn giao</h2>{_table(own)}"
        "<h2>2. Hai bên xác nhận</h2><ol>"
        "<li>Thiết bị còn nguyên vẹn, hoạt động bình thường; thông tin trên chứng thư đúng với người giữ.</li>"
        "<li>Mã PIN ban đầu được giao riêng, trong phong bì còn niêm phong; bên giao không giữ bản sao.</li>"
        "<li>Bên nhận đã tự đổi mã PIN ngay khi nhận và đã ký thử thành công.</li>"
        "<li>Bên nhận đã được hướng dẫn cách ký, cách kiểm tra chữ ký, và việc phải báo ngay khi mất thiết bị, khóa thiết bị "
        "hoặc nghi lộ mã PIN, khóa bí mật.</li>"
        "<li>Chứng thư chỉ được kích hoạt trong hệ thống sau khi bên nhận ký bản cam kết quản lý, sử dụng chữ ký số.</li></ol>"
        "<p>Biên bản lập thành 02 bản có giá trị như nhau, mỗi bên giữ 01 bản.</p>"
        + _signatures(("Bên giao", own.handed_by if own is not None else ""), ("Bên nhận", _receiver(subject)))
    )
    return title.replace("|", " "), body


def _table(own: Row[Any] | None) -> str:
    def of(name: str) -> str:
        return "" if own is None else str(getattr(own, name))

    def day(instant: int | None) -> str:
        return f"{to_datetime(instant).astimezone(_HERE):%d/%m/%Y}" if instant else ""

    until = "" if own is None or not own.not_after else f"từ {day(own.not_before)} đến {day(own.not_after)}"
    facts = (
        ("Loại thiết bị", DEVICES.get(of("device_kind"), of("device_kind"))),
        ("Số sê-ri thiết bị", of("device_serial")),
        ("Tổ chức cung cấp dịch vụ", of("provider")),
        ("Số sê-ri chứng thư", of("serial").upper()),
        ("Tổ chức cấp chứng thư", of("issuer")),
        ("Hiệu lực", until),
        ("Phụ kiện, tình trạng", ""),
    )
    rows = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td>{escape(value) or _DOTS}</td></tr>" for name, value in facts
    )
    return f"<table>{rows}</table>"


# ---- the commitment ----

_DUTIES = (
    "Giữ bí mật mã PIN, mật khẩu và khóa bí mật; không ghi lại, không tiết lộ cho bất kỳ ai, kể cả bộ phận công nghệ "
    "thông tin.",
    "Tự mình quản lý thiết bị; không cho mượn, không giao người khác ký thay, không ký thay người khác.",
    "Chỉ ký khi đã đọc nội dung, đúng thẩm quyền, đúng phạm vi hành nghề và đúng trình tự; chữ ký số của tôi có giá trị "
    "như chữ ký tay, tôi chịu trách nhiệm trước pháp luật về nội dung đã ký.",
    "Báo ngay cho đơn vị khi mất thiết bị, thiết bị bị khóa hoặc hỏng, nghi lộ mã PIN hay khóa bí mật, để chứng thư được "
    "tạm ngừng; phối hợp xử lý và không dùng thiết bị cho đến khi được cho phép.",
    "Báo khi thông tin trên chứng thư thay đổi (họ tên, chức vụ, đơn vị, giấy phép hành nghề) và đề nghị gia hạn trước "
    "khi hết hạn.",
    "Trả thiết bị và đề nghị thu hồi chứng thư khi nghỉ việc, chuyển công tác, thôi giữ chức vụ hoặc khi đơn vị yêu cầu.",
    "Chịu trách nhiệm theo quy định của pháp luật và của đơn vị về mọi hậu quả do tôi vi phạm cam kết này.",
)


def _commitment(subject: Subject) -> tuple[str, str]:
    title = "Bản cam kết|quản lý, sử dụng chứng thư chữ ký số"
    own = subject.certificate
    seal = subject.holder.kind == "organisation"
    who = "con dấu số của đơn vị" if seal else "chứng thư chữ ký số và thiết bị lưu khóa bí mật được giao"
    said = _person(subject)
    if seal:
        said += _facts([("Người được giao quản lý", own.received_by if own is not None else ""), ("Chức vụ", "")])
    if own is not None and own.serial:
        said += _facts([("Số sê-ri chứng thư", own.serial.upper()), ("Số sê-ri thiết bị", own.device_serial)])
    body = (
        f"<h1>{_lines(title)}</h1>"
        f"<p class='centre'>Kính gửi: {escape(subject.facility.name)}</p>"
        f"<h2>Người cam kết</h2>{said}"
        f"<p>Tôi nhận {who} để dùng cho công việc tại {escape(subject.facility.name)}, và cam kết:</p>"
        f"<ol>{''.join(f'<li>{escape(duty)}</li>' for duty in _DUTIES)}</ol>"
        f"<p class='centre hint'>………………, {_day(None)}</p>"
        + _signatures(("Xác nhận của đơn vị", ""), ("Người cam kết", _receiver(subject)))
    )
    return title.replace("|", " "), body


# ---- what both have ----


def _head(subject: Subject) -> str:
    own = subject.facility
    above = f"{escape(own.governing_body.upper())}<br>" if own.governing_body else ""
    return (
        f"<div class='head'><div class='left'>{above}<b>{escape(own.name.upper())}</b><br><span class='rule'></span></div>"
        "<div><b>CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM</b><br><b>Độc lập – Tự do – Hạnh phúc</b><br>"
        "<span class='rule'></span></div></div>"
    )


def _person(subject: Subject) -> str:
    who = subject.holder
    if who.kind == "organisation":
        return _facts([("Tên tổ chức", who.name), ("Mã cơ sở", who.code)])
    return _facts(
        [
            ("Họ và tên", who.name),
            ("Mã nhân viên", who.code),
            ("Số định danh/CCCD", subject.private.get("citizen_id", "")),
            ("Khoa/phòng", who.department),
            ("Chức vụ", who.post),
            ("Chức danh nghề nghiệp", who.title),
            ("Số giấy phép hành nghề", who.licence),
        ]
    )


def _receiver(subject: Subject) -> str:
    if subject.holder.kind == "person":
        return str(subject.holder.name)
    return "" if subject.certificate is None else str(subject.certificate.received_by)


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    items = (f"<div><dt>{escape(name)}</dt><dd>{escape(value) or _DOTS}</dd></div>" for name, value in facts)
    return f"<dl class='facts'>{''.join(items)}</dl>"


def _signatures(*signers: tuple[str, str]) -> str:
    blocks = (
        f"<div><b>{escape(role.upper())}</b><br><span class='hint'>(Ký, ghi rõ họ tên)</span><div class='space'></div>"
        f"<b>{escape(name)}</b></div>"
        for role, name in signers
    )
    return f"<div class='sign'>{''.join(blocks)}</div>"


def _lines(title: str) -> str:
    return "<br>".join(escape(line) for line in title.split("|"))


def _day(day: date | None) -> str:
    return "ngày …… tháng …… năm 20……" if day is None else f"ngày {day:%d} tháng {day:%m} năm {day:%Y}"
