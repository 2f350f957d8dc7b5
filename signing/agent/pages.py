"""What the signer sees, in Vietnamese: batches, the papers of one, the PIN field. No script; everything is escaped.

The rendered paper is a stranger's HTML: it is shown in a frame that may run nothing, load nothing and send nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from html import escape

from signing import certificates
from signing.agent import protocol
from signing.agent.batches import Batch
from signing.faults import KeyLocked, KeyUnavailable, KeyUnsuitable, LastTry, NotAuthorised
from signing.token import PinState, View

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem;color:#111;background:#fff}
h1{font-size:1.4rem}code{font-size:.85em;word-break:break-all}li{margin:.4rem 0}
.note{border-left:.3rem solid #06c;background:#eef5ff;padding:.5rem 1rem}.bad{border-color:#b00;background:#fff0f0}
iframe{width:100%;height:32rem;border:1px solid #888;background:#fff}button,input{font:inherit;padding:.4rem .8rem}
.code{font-size:2rem;letter-spacing:.2rem;font-weight:bold}form{display:inline-block;margin-right:1rem}
@media (prefers-color-scheme:dark){body{color:#eee;background:#111}.note{background:#123}.bad{background:#411}}
"""

_STATES = {"waiting": "chờ ký", "signing": "đang ký", "done": "đã xong", "stopped": "cổng đã dừng"}
_DOCUMENT_STATES = {"waiting": "chưa ký", "signed": "đã ký", "left out": "không ký"}
_FAULTS = {
    KeyUnavailable.code: "Không thấy USB token, hoặc token đã bị rút. Cắm lại token rồi nhập PIN để ký tiếp; "
    "những giấy tờ đã ký vẫn giữ nguyên.",
    NotAuthorised.code: "Mã PIN sai. Nhập lại cẩn thận: token tự khóa sau vài lần sai liên tiếp.",
    KeyLocked.code: "Token đã bị khóa vì nhập sai PIN nhiều lần. Liên hệ nhà cung cấp chứng thư số để mở khóa.",
    LastTry.code: "Chỉ còn một lần thử: nếu sai nữa token sẽ khóa. Đánh dấu vào ô xác nhận nếu chắc chắn PIN đúng.",
    KeyUnsuitable.code: "Token đang cắm không phải của người ký những giấy tờ này, hoặc khóa không dùng được với thuật toán.",
}
_PINS = {
    PinState.WRONG_BEFORE: "PIN đã bị nhập sai ít nhất một lần kể từ lần đúng gần nhất.",
    PinState.LAST_TRY: "PIN chỉ còn MỘT lần thử trước khi token tự khóa.",
    PinState.LOCKED: "PIN đã bị khóa.",
}


def page(title: str, body: str, *, refresh: bool = False) -> bytes:
    """Give a whole page; with `refresh` it loads itself again every second."""
    again = '<meta http-equiv="refresh" content="1">' if refresh else ""
    return (
        f'<!doctype html><html lang="vi"><head><meta charset="utf-8"><title>{escape(title)}</title>{again}'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/style.css"></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    ).encode()


def stranger() -> bytes:
    """Tell a browser that has no session how to get one."""
    return page(
        "Trạm ký số Liên Thông",
        '<p class="note bad">Trang này chỉ mở được bằng đường dẫn mà trạm ký in ra khi khởi động. '
        "Hãy khởi động lại trạm ký trên máy này.</p>",
    )


def home(
    batches: Collection[Batch], code: str, paired: Collection[str], origins: Collection[str], secret: str
) -> bytes:
    """List what waits, and show the pairing code."""
    listed = "".join(
        f'<li><a href="/batches/{batch.request.id}">{len(batch.request.documents)} giấy tờ</a> '
        f"từ {escape(batch.owner or 'máy này')}: {_STATES[batch.state().state]}</li>"
        for batch in reversed(list(batches))
    )
    pairing = (
        f'<p>Nhập mã này vào trang của cổng (chỉ dùng một lần, trong 5 phút):</p><p class="code">{code[:4]} {code[4:]}</p>'
        if code
        else _form("/code", secret, "<button>Tạo mã ghép nối</button>")
    )
    return page(
        "Trạm ký số Liên Thông",
        f"<h2>Chờ ký</h2><ul>{listed or '<li>Chưa có gì.</li>'}</ul><h2>Ghép nối</h2>{pairing}"
        f"<p>Cổng được phép: {escape(', '.join(sorted(origins)) or 'không có')}. "
        f"Đang ghép: {escape(', '.join(sorted(one or 'máy này' for one in paired)) or 'chưa')}.</p>"
        + (_form("/unpair", secret, "<button>Hủy ghép nối</button>") if paired else ""),
    )


def batch_page(batch: Batch, state: protocol.BatchState, view: View | None, secret: str, note: str = "") -> bytes:
    """Show one batch: who signs, every paper with its hash, and the PIN field."""
    signed = sum(document.state == "signed" for document in state.documents)
    total = len(state.documents)
    parts = [f"<p>{_STATES[state.state].capitalize()}: đã ký {signed}/{total}.</p>"]
    if note or state.fault:
        text = note or _FAULTS.get(state.fault, f"Không ký được (LT{state.fault:04d}).")
        parts.append(f'<p class="note bad" role="alert">{text}</p>')
    if state.state == "signing":
        parts.append(_form(f"/batches/{batch.request.id}/pause", secret, "<button>Tạm dừng</button>"))
        return page(f"Đang ký {total} giấy tờ", "".join(parts), refresh=True)
    if state.state == "waiting":
        parts += [_signer(view), _papers(batch, state, choosable=True), _pin_form(batch, view, secret)]
    else:
        parts.append(_papers(batch, state, choosable=False))
    parts.append('<p><a href="/">Về danh sách</a></p>')
    return page(f"Ký {total} giấy tờ", "".join(parts))


def _signer(view: View | None) -> str:
    if view is None:
        return f'<p class="note bad">{_FAULTS[KeyUnavailable.code]}</p>'
    warning = f' <strong role="alert">{_PINS[view.pin]}</strong>' if view.pin in _PINS else ""
    said = []
    for certificate in view.certificates:
        if not certificates.is_authority(certificate):
            who = certificates.signer_of(certificate)
            facts = [who.name, who.title, who.organisation, f"số chứng thư {who.serial}", f"cấp bởi {who.issuer}"]
            said.append(", ".join(escape(fact) for fact in facts if fact) + f", đến hết {who.not_after:%d/%m/%Y}")
    return f'<p class="note">Người ký: {"; ".join(said) or "không có chứng thư"} (token {escape(view.label)}).{warning}</p>'


def _papers(batch: Batch, state: protocol.BatchState, *, choosable: bool) -> str:
    rows = []
    opened = " open" if len(state.documents) == 1 else ""
    for number, (paper, document) in enumerate(zip(batch.request.documents, state.documents, strict=True)):
        title = escape(paper.title or "Dữ liệu không có bản xem")
        choice = ""
        if choosable and document.state != "signed":
            checked = " checked" if document.state == "left out" else ""
            choice = (
                f' <label><input type="checkbox" form="pin" name="leave" value="{paper.id}"{checked}> không ký</label>'
            )
        shown = (
            f'<iframe sandbox="" loading="lazy" title="{title}" src="/batches/{batch.request.id}/papers/{number}"></iframe>'
            if paper.html
            else "<p>Cổng không gửi bản xem của dữ liệu này.</p>"
        )
        rows.append(
            f"<li><strong>{title}</strong>: {_DOCUMENT_STATES[document.state]}{choice}"
            f"<br><code>{paper.digest.hex()}</code><details{opened}><summary>Xem</summary>{shown}</details></li>"
        )
    return f"<ol>{''.join(rows)}</ol>"


def _pin_form(batch: Batch, view: View | None, secret: str) -> str:
    last = (
        '<p><label><input type="checkbox" name="last_try" value="yes"> Tôi biết đây là lần thử cuối</label></p>'
        if view is not None and view.pin is PinState.LAST_TRY
        else ""
    )
    address = f"/batches/{batch.request.id}"
    return (
        f'<form id="pin" method="post" action="{address}/sign"><input type="hidden" name="form" value="{secret}">'
        '<p><label>Mã PIN của token: <input type="password" name="pin" autocomplete="off" required></label> '
        f"<button>Ký</button></p>{last}</form>"
        + _form(f"{address}/leave", secret, "<button>Không ký phần còn lại</button>")
    )


def _form(address: str, secret: str, inside: str) -> str:
    return f'<form method="post" action="{address}"><input type="hidden" name="form" value="{secret}">{inside}</form>'
