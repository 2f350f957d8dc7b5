"""`lienthong paper`: which papers are due, made, missing something; see, issue and withdraw them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.engine import Connection, Row

from gateway import papers, renderings
from gateway.cli.access import actor, ledger, remember
from gateway.cli.output import HERE, Config, Json, console, fault_dict, iso, moment, print_json, print_table
from gateway.clock import SystemClock, to_datetime
from gateway.export import visit_numbers, visit_of
from gateway.faults import PaperNotThere
from gateway.proof import pages
from gateway.records import resources
from gateway.settings import Plan
from gateway.store import actions, documents
from gateway.store.engine import Store
from mappings import documents as forms
from mappings.documents.faults import PaperUnknown
from mappings.formats.faults import Fault
from mappings.outcome import Resource

app = typer.Typer(help="Giấy tờ: đến hạn, đã lập, còn thiếu gì; xem, cấp, cấp lại, hủy.", invoke_without_command=True)

Encounter = Annotated[str, typer.Option(help="Số lượt khám, điều trị (số vào viện, MA_LK) hoặc mã Encounter.")]
Kind = Annotated[str, typer.Option("--kind", help=f"Loại giấy: {', '.join(forms.PAPERS)}.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Lý do (bắt buộc), in trên giấy cùng tên người yêu cầu.")]

_NO_NUMBER = "00000000-0000-0000-0000-000000000000"
_WAITING = ("due", "signing", "composed", "proving", "error")
_STATES = {
    "due": "chờ lập",
    "signing": "chờ người ký",
    "composed": "chờ đóng dấu",
    "proving": "chờ dấu thời gian",
    "signed": "đã ký",
    "error": "hàng lỗi",
    "closed": "đã đóng",
    "unchanged": "không đổi",
    "returned": "bị từ chối ký",
    "superseded": "đã thay bằng bản khác",
}
_ACTS = {"make": "", "renew": "sửa", "cancel": "hủy", "reissue": "cấp lại"}


@app.callback()
@app.command("list")
def list_(
    context: typer.Context,
    config: Config = HERE,
    due: Annotated[bool, typer.Option("--due", help="Chỉ giấy đến hạn mà chưa ký.")] = False,
    encounter: Encounter = "",
    kind: Annotated[list[str], typer.Option("--kind", help="Chỉ các loại giấy này.")] = [],  # noqa: B006 - typer's form
    limit: Annotated[int, typer.Option(help="Số dòng nhiều nhất; 0 = tất cả.")] = 0,
    after: Annotated[str, typer.Option(help="Tiếp theo trang trước: mã cuối cùng.")] = "",
    json: Json = False,
) -> None:
    """Liệt kê giấy tờ, mới nhất trước: hạn, còn thiếu gì và lẽ ra phải từ đâu tới.

    Ví dụ: lienthong paper list --due -c /etc/lienthong
    """
    if context.invoked_subcommand:
        remember(config)
        return
    for one in kind:
        _known(one)
    with ledger(config) as (plan, store):

        def query(connection: Connection) -> tuple[list[Row[Any]], dict[str, str]]:
            wanted = _subjects_of(connection, plan, encounter, kind or forms.PAPERS) if encounter else []
            if encounter and not wanted:
                return [], {}
            listed = documents.listing(
                connection,
                states=_WAITING if due else (),
                papers=kind,
                subjects=wanted,
                after=after,
                limit=limit,
            )
            return listed, visit_numbers(connection, plan, [row.subject for row in listed])

        found, visits = store.read_now(query)
    now = SystemClock().now()
    if json:
        print_json([_summary(row, now, visits.get(row.subject, "")) for row in found])
        return
    if due and not found:
        console.print("Không có giấy nào đến hạn mà chưa ký.")
        return
    print_table(
        "Giấy đến hạn" if due else "Giấy tờ",
        ("mã", "lượt khám", "giấy", "bản", "trạng thái", "hạn"),
        (
            (
                row.id,
                visits.get(row.subject, ""),
                row.paper,
                f"{row.version} {_ACTS[row.act]}".strip(),
                _STATES[row.state] + (f" LT{row.fault_code:04d}" if row.state == "error" else ""),
                moment(row.deadline_at) + (" QUÁ HẠN" if _overdue(row, now) else ""),
            )
            for row in found
        ),
    )
    for row in found:
        for item in _missing(row):
            named = item["item"] if item["label"] == item["item"] else f"{item['label']} ({item['item']})"
            visit = f" lượt khám {visits[row.subject]}:" if row.subject in visits else ""
            console.print(f"{row.id}{visit} còn thiếu {named} ← {item['from']}", soft_wrap=True)
    if any(_missing(row) for row in found):
        console.print(
            "Bổ sung trong HIS rồi gửi bản tin mang mục đó (thường là ADT^A08): giấy tự được lập.", soft_wrap=True
        )
    if any(row.state == "signing" for row in found):
        console.print("Chờ ai ký: lienthong sign list", soft_wrap=True)


@app.command("make")
def make(
    encounter: Encounter,
    kind: Kind,
    to: Annotated[
        str, typer.Option(help=f"Các dạng, cách nhau bằng dấu phẩy: {', '.join(renderings.KINDS)}.")
    ] = "html",
    output: Annotated[Path, typer.Option("--output", "-o", help="Thư mục để kết quả.")] = Path("."),
    copy: Annotated[
        bool,
        typer.Option("--copy", help="Bản giấy chuyển đổi (NĐ 137/2024): in lời ghi bắt buộc, ghi lại ai in, lúc nào."),
    ] = False,
    seal: Annotated[
        bool,
        typer.Option(
            "--seal/--no-seal",
            help="PDF của giấy đã ký mang chữ ký số của cơ sở (khóa trong \\[signing]); bản giấy thì không.",
        ),
    ] = True,
    config: Config = HERE,
    json: Json = False,
) -> None:
    """Đưa một giấy ra tệp. Giấy đã ký: đúng các byte đã ký; chưa ký: bản xem thử, có ghi rõ. Chứa dữ liệu người bệnh.

    PDF của giấy đã ký được đóng dấu số của cơ sở (PAdES), kiểm tra bằng lienthong verify hoặc phần mềm đọc PDF; đóng dấu một
    lần rồi giữ trong sổ cái, lần sau đưa ra đúng các byte đó.
    Mã thoát 1 khi hồ sơ còn thiếu nội dung mẫu giấy bắt buộc, hoặc không có gì để lập.

    Ví dụ: lienthong paper make --encounter LK-2026-000001 --kind referral --to cda,html,pdf,fhir -c demo-out/…/config
    """
    _known(kind)
    wanted = [one.strip() for one in to.split(",") if one.strip()]
    for one in wanted:
        if one not in renderings.KINDS:
            raise typer.BadParameter(f"{one}: chỉ có {', '.join(renderings.KINDS)}", param_hint="--to")
    if not output.is_dir():
        raise typer.BadParameter(f"{output} không phải thư mục", param_hint="--output")
    made: list[dict[str, Any]] = []
    with ledger(config) as (plan, store):
        subjects = store.read_now(lambda connection: _subjects_of(connection, plan, encounter, [kind]))
        if not subjects:
            raise PaperNotThere(kind, "nothing to make it of")
        for number, subject in enumerate(subjects, 1):
            name = kind if len(subjects) == 1 else f"{kind}-{number}"
            made.append(_one(plan, store, kind, subject, wanted, output / name, copy=copy, seal=seal))
    if json:
        print_json(made)
    else:
        for paper in made:
            state = f"bản {paper['version']}, đã ký" if paper["signed"] else "bản xem thử, chưa ký"
            console.print(f"{paper['title']}: {state}" if paper["files"] else paper["title"])
            for file in paper["files"]:
                console.print(f"  {file}", soft_wrap=True)
            for fault in paper["faults"]:
                console.print(
                    f"  [red]{fault['code']}[/] {fault['where']} {fault['detail']}: {fault['do']}", soft_wrap=True
                )
    if any(paper["faults"] for paper in made):
        raise typer.Exit(1)


def _one(
    plan: Plan, store: Store, kind: str, subject: str, wanted: list[str], stem: Path, *, copy: bool, seal: bool
) -> dict[str, Any]:
    now, who = SystemClock().now(), actor()

    def query(connection: Connection) -> tuple[renderings.Source, str]:
        issued = documents.issued(connection, kind, subject)
        if issued is not None:
            return renderings.stored(connection, plan, issued, printed=(now, who) if copy else None), issued.id
        if copy:
            raise PaperNotThere(kind, "not issued")
        record = resources.record(connection, plan.keyring, resources.patient_of(connection, subject) or "")
        context = plan.paper_context(_NO_NUMBER, to_datetime(now))
        return renderings.preview(kind, subject, record, context, plan), ""

    said: dict[str, Any] = {"paper": kind, "title": _title(kind), "subject": subject, "files": [], "faults": []}
    try:
        source, document_id = store.read_now(query)
    except Fault as fault:
        return {**said, "signed": False, "version": 0, "faults": [_fault(fault)]}
    said |= {"signed": source.signed, "version": source.version}
    for one in wanted:
        try:
            if one == pages.KIND and seal and source.signed and not copy:
                suffix, body = one, pages.issue(plan, store, SystemClock(), document_id, who, partial(_pages, source))
            else:
                suffix, body = renderings.render(source, one)
        except Fault as fault:
            said["faults"].append(_fault(fault))
            continue
        file = stem.with_name(f"{stem.name}.{suffix}")
        file.write_bytes(body)
        said["files"].append(str(file))
    if copy:
        store.write_now(
            lambda connection: actions.insert(
                connection, at=now, actor=who, verb="print", target=document_id, reason="converted copy"
            )
        )
    return said


def _pages(source: renderings.Source) -> bytes:
    return renderings.render(source, pages.KIND)[1]


@app.command("issue")
def issue(
    encounter: Encounter,
    kind: Kind,
    reason: Reason,
    config: Config = HERE,
    again: Annotated[bool, typer.Option("--again", help="Cấp lại bản đã ký, có ghi «CẤP LẠI».")] = False,
    json: Json = False,
) -> None:
    """Yêu cầu lập một giấy (ví dụ tóm tắt hồ sơ theo đề nghị của người bệnh), hoặc cấp lại. Nút đang chạy sẽ lập, ký và gửi.

    Ví dụ: lienthong paper issue --encounter LK-2026-000001 --kind record_summary -r "người bệnh đề nghị"
    """
    _request(encounter, kind, "reissue" if again else "make", reason, config, json)


@app.command("cancel")
def cancel(encounter: Encounter, kind: Kind, reason: Reason, config: Config = HERE, json: Json = False) -> None:
    """Hủy giấy đã ký: lập một phiên bản mới ghi rõ đã hủy, vì sao, do ai; bản cũ vẫn còn trong sổ cái.

    Ví dụ: lienthong paper cancel --encounter LK-2026-000001 --kind discharge_paper -r "nhầm người bệnh"
    """
    _request(encounter, kind, "cancel", reason, config, json)


def _request(encounter: str, kind: str, act: str, reason: str, config: Path, json: bool) -> None:
    _known(kind)
    if not reason.strip():
        raise typer.BadParameter("phải ghi lý do", param_hint="--reason")
    who, now = actor(), SystemClock().now()
    with ledger(config) as (plan, store):

        def ask(connection: Connection) -> list[str]:
            subjects = _subjects_of(connection, plan, encounter, [kind])
            if not subjects:
                raise PaperNotThere(kind, "nothing to make it of")
            return [
                papers.request(connection, plan, kind, subject, act, actor=who, reason=reason, now=now)
                for subject in subjects
            ]

        ids = store.write_now(ask)
    if json:
        print_json([{"id": one, "paper": kind, "act": act} for one in ids])
        return
    for one in ids:
        console.print(f"đã nhận: {one}")


# ---- what is asked for, and how it is told ----


def _known(kind: str) -> None:
    if kind not in forms.PAPERS:
        raise PaperUnknown(kind if kind.isidentifier() else "")


def _title(paper: str) -> str:
    return forms.caption(paper) if paper in forms.DOCUMENTS else paper


def _subjects_of(connection: Connection, plan: Plan, encounter: str, kinds: Any) -> list[str]:
    """Give what papers of these kinds are about, of one visit."""
    visit = visit_of(connection, plan, encounter)
    record = resources.record(connection, plan.keyring, visit.patient_id)
    own = list(_of_visit(record, f"Encounter/{visit.id}"))
    return list(dict.fromkeys(subject for kind in kinds for subject in forms.subjects(kind, own)))


def _of_visit(record: list[Resource], visit: str) -> Iterator[Resource]:
    """Give the visit, what belongs to it, and what belongs to none."""
    for resource in record:
        about = [resource.get("encounter"), resource.get("context"), *resource.get("supportingInformation", [])]
        named = {one.get("reference", "") for one in about if isinstance(one, dict)}
        visits = {one for one in named if one.startswith("Encounter/")}
        if resource["resourceType"] == "Encounter":
            if f"Encounter/{resource['id']}" == visit:
                yield resource
        elif not visits or visit in visits:
            yield resource


def _overdue(row: Row[Any], now: int) -> bool:
    return row.state in _WAITING and row.deadline_at < now


def _missing(row: Row[Any]) -> list[dict[str, str]]:
    if row.state != "error" or row.fault_code != 3201:
        return []
    pairs = (one.partition(" ← ") for one in row.fault_detail.split("; "))
    return [{"item": item, "label": forms.label(row.paper, item), "from": origin} for item, _, origin in pairs]


def _summary(row: Row[Any], now: int, visit: str) -> dict[str, Any]:
    return {
        "id": row.id,
        "paper": row.paper,
        "title": _title(row.paper),
        "subject": row.subject,
        "visit": visit,
        "version": row.version,
        "act": row.act,
        "state": row.state,
        "channel": row.channel,
        "asked_at": iso(row.event_at),
        "deadline_at": iso(row.deadline_at),
        "overdue": _overdue(row, now),
        "signed_at": iso(row.signed_at),
        "replaces": row.replaces_id,
        "reason": row.reason,
        "actor": row.actor,
        "missing": _missing(row),
        "fault": fault_dict(row.fault_code, row.fault_where, row.fault_detail) if row.state == "error" else None,
    }


def _fault(fault: Fault) -> dict[str, Any]:
    said = fault_dict(fault.code, fault.where, fault.detail)
    assert said is not None
    return dict(said)
