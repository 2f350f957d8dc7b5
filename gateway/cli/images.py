"""`lienthong images`: studies that came from the PACS, what lies in quarantine, and whose a study is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.engine import Row

from gateway.cli import images_export, images_prune
from gateway.cli.access import actor, ledger, remember
from gateway.cli.output import HERE, Config, Json, console, fault_dict, iso, moment, print_json, print_table
from gateway.clock import SystemClock
from gateway.faults import NothingThere, ReasonMissing
from gateway.store import actions, images
from gateway.store import commitments as rows
from gateway.store.objects import Objects
from mappings.formats.faults import Fault

app = typer.Typer(
    help="Ảnh y khoa (DICOM): các lần chụp, khu cách ly, sửa nhầm người bệnh.", invoke_without_command=True
)

Limit = Annotated[int, typer.Option(help="Số dòng nhiều nhất; 0 = tất cả.")]
_STATES = {"received": "chờ ánh xạ", "mapped": "đã ánh xạ", "error": "hàng lỗi", "held": "tạm giữ", "closed": "đã đóng"}


@app.callback()
@app.command("list")
def list_(
    context: typer.Context,
    config: Config = HERE,
    limit: Limit = 50,
    after: Annotated[str, typer.Option(help="Tiếp theo trang trước: UID cuối cùng.")] = "",
    json: Json = False,
) -> None:
    """Liệt kê các lần chụp, mới nhất trước: bao nhiêu ảnh, đã đủ chưa, thông điệp của nó ra sao.

    Ví dụ: lienthong images -c /etc/lienthong
    """
    if context.invoked_subcommand:
        remember(config)
        return
    with ledger(config) as (_, store):
        found = store.read_now(lambda connection: images.studies(connection, limit, after))
    if json:
        print_json([_study(row) for row in found])
        return
    print_table(
        "Các lần chụp",
        ("StudyInstanceUID", "từ", "ảnh", "bản", "thông điệp", "trạng thái", "mới nhất"),
        (
            (
                row.uid,
                row.calling,
                str(row.instances),
                str(row.version),
                row.message_id or "",
                _said(row),
                moment(row.last_at),
            )
            for row in found
        ),
        right=(2, 3),
    )


def _said(row: Row[Any]) -> str:
    if row.due_at is not None:
        return "đang nhận"
    gone = ", đã gỡ ảnh" if row.pruned_at is not None else ""
    return _STATES.get(row.state, row.state or "") + (f" LT{row.fault_code:04d}" if row.fault_code else "") + gone


def _study(row: Row[Any]) -> dict[str, Any]:
    return {
        "study": row.uid,
        "channel": row.channel,
        "from": row.calling,
        "objects": row.instances,
        "told": row.told,
        "version": row.version,
        "message": row.message_id,
        "state": "arriving" if row.due_at is not None else row.state,
        "fault": f"LT{row.fault_code:04d}" if row.fault_code else None,
        "assigned": row.assigned is not None,
        "pruned_at": iso(row.pruned_at),
        "first_at": iso(row.first_at),
        "last_at": iso(row.last_at),
    }


@app.command("aside")
def aside(config: Config = HERE, limit: Limit = 50, json: Json = False) -> None:
    """Liệt kê khu cách ly: đối tượng không tới đủ, không đọc được, trùng UID. Không chứa dữ liệu người bệnh.

    Ví dụ: lienthong images aside --json -c /etc/lienthong
    """
    with ledger(config) as (_, store):
        found = store.read_now(lambda connection: images.aside(connection, limit))
    if json:
        print_json([_object(row) for row in found])
        return
    print_table(
        "Khu cách ly",
        ("mã", "lúc", "từ", "máy", "lớn", "lỗi"),
        (
            (
                row.id,
                moment(row.received_at),
                row.calling,
                row.peer,
                f"{row.size:,}".replace(",", "."),
                f"LT{row.fault_code:04d} {row.fault_where} {row.fault_detail}".strip(),
            )
            for row in found
        ),
        right=(4,),
    )


def _object(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "sop_instance": row.sop_instance or None,
        "sop_class": row.sop_class or None,
        "study": row.study_uid or None,
        "channel": row.channel,
        "from": row.calling,
        "peer": row.peer,
        "received_at": iso(row.received_at),
        "size": row.size,
        "sha256": row.sha256,
        "fault": fault_dict(row.fault_code, row.fault_where, row.fault_detail),
    }


@app.command("commitments")
def commitments(config: Config = HERE, limit: Limit = 50, json: Json = False) -> None:
    """Liệt kê yêu cầu xác nhận lưu trữ (storage commitment) của thiết bị, mới nhất trước: đã báo chưa, thử đến khi nào.

    Thiết bị chỉ xóa ảnh của nó sau khi nhận được báo cáo. Báo cáo hết hạn thử nằm trong hàng lỗi: lienthong errors.

    Ví dụ: lienthong images commitments --json -c /etc/lienthong
    """
    with ledger(config) as (_, store):
        found = store.read_now(lambda connection: rows.listing(connection, limit=limit))
    if json:
        print_json([_commitment(row) for row in found])
        return
    print_table(
        "Xác nhận lưu trữ",
        ("mã", "lúc hỏi", "máy", "ảnh", "thiếu", "trạng thái", "lỗi gần nhất"),
        (
            (
                row.id,
                moment(row.asked_at),
                row.calling,
                str(row.objects),
                "" if row.missing is None else str(row.missing),
                _COMMITMENTS[row.state] + (f" {moment(row.until)}" if row.state == "owed" else ""),
                f"LT{row.fault_code:04d} {row.fault_detail}" if row.fault_code else "",
            )
            for row in found
        ),
        right=(3, 4),
    )


_COMMITMENTS = {"owed": "thử đến", "reported": "đã báo", "error": "hàng lỗi", "closed": "đã đóng"}


def _commitment(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "channel": row.channel,
        "from": row.calling,
        "transaction": row.transaction_uid,
        "objects": row.objects,
        "missing": row.missing,
        "state": row.state,
        "attempts": row.attempts,
        "asked_at": iso(row.asked_at),
        "next_at": iso(row.due_at) if row.state == "owed" else None,
        "until": iso(row.until),
        "ended_at": iso(row.ended_at) if row.ended_at is not None else None,
        "fault": fault_dict(row.fault_code, row.fault_where, row.fault_detail),
    }


@app.command("fetch")
def fetch(
    object_id: Annotated[str, typer.Argument(help="Mã đối tượng (lienthong images aside).", metavar="MÃ")],
    out: Annotated[Path, typer.Option("--out", help="Ghi ra tệp DICOM này; không ghi đè.", metavar="TỆP")],
    config: Config = HERE,
) -> None:
    """Lấy một đối tượng ra tệp, nguyên từng byte như khi tới. Chứa dữ liệu người bệnh; được ghi vào nhật ký.

    Ví dụ: lienthong images fetch 0198… --out /tmp/anh.dcm -c /etc/lienthong
    """
    with ledger(config) as (plan, store):
        objects = Objects(plan.objects_folder, plan.keyring, plan.node.name)
        if not store.read_now(lambda connection: images.known(connection, [object_id])):
            raise NothingThere(object_id)
        now = SystemClock().now()
        store.write_now(
            lambda c: actions.insert(c, at=now, actor=actor(), verb="fetch", target=object_id, reason="object")
        )
        try:
            with out.open("xb") as file:
                for piece in objects.read(object_id):
                    file.write(piece)
        except FileExistsError:
            raise typer.BadParameter(f"{out.name}: đã có tệp này", param_hint="--out") from None
        except Fault:
            out.unlink(missing_ok=True)
            raise
    console.print(f"{out}", soft_wrap=True)


@app.command("assign")
def assign(
    study: Annotated[str, typer.Argument(help="StudyInstanceUID.", metavar="UID")],
    patient: Annotated[str, typer.Option("--patient", help="Mã bệnh nhân (PID-3) đúng của lần chụp.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Lý do (bắt buộc), được ghi cùng tên người làm.")],
    config: Config = HERE,
) -> None:
    """Chuyển một lần chụp về đúng người bệnh: lập thông điệp mới, mọi bản trước vẫn còn. Ảnh gốc không đổi.

    Ví dụ: lienthong images assign 1.2.840… --patient BN000123 -r "gõ nhầm mã trên máy CT" -c /etc/lienthong
    """
    if not reason.strip():
        raise ReasonMissing(study)
    with ledger(config) as (plan, store):
        if store.read_now(lambda connection: images.get_study(connection, study)) is None:
            raise NothingThere(study)
        now = SystemClock().now()
        sealed = plan.keyring.seal(patient.strip().encode(), f"assigned/{study}")

        def unit(connection: Any) -> None:
            images.assign(connection, study, sealed, now)
            actions.insert(connection, at=now, actor=actor(), verb="assign", target=study, reason=reason.strip())

        store.write_now(unit)
    console.print("Nút đang chạy sẽ lập thông điệp mới cho lần chụp này.")


images_export.add_to(app)
images_prune.add_to(app)
