"""`lienthong images prune`: remove the files of studies that nobody needs here any more."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway import pruning
from gateway.cli.access import actor, ledger
from gateway.cli.output import HERE, Config, Json, console, iso, moment, print_json, print_table
from gateway.clock import SECOND, SystemClock
from gateway.faults import ReasonMissing
from gateway.pruning import Choice, Pruning
from mappings.formats.values import parse_duration

_STAYS = {
    pruning.ARRIVING: "còn đang nhận",
    pruning.NOT_IN_RECORD: "thông điệp chưa vào hồ sơ (hàng lỗi, tạm giữ)",
    pruning.PAPER: "có giấy chưa xong",
    pruning.DELIVERY: "có lần gửi chưa xong",
    pruning.UNKNOWN: "không có lần chụp này",
    pruning.NOTHING: "không còn tệp nào",
}


def add_to(app: typer.Typer) -> None:
    app.command("prune")(prune)


def prune(
    study: Annotated[
        list[str] | None, typer.Option("--study", help="StudyInstanceUID; dùng nhiều lần được.", metavar="UID")
    ] = None,
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than", help="Mọi lần chụp không có gì tới từ chừng ấy lâu, ví dụ 730d.", metavar="THỜI_GIAN"
        ),
    ] = "",
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Lý do (bắt buộc khi --yes), được ghi cùng tên người làm.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Làm; không có thì chỉ cho xem.")] = False,
    config: Config = HERE,
    json: Json = False,
) -> None:
    """Gỡ tệp ảnh của những lần chụp nêu tên hoặc đã cũ. Không có --yes: chỉ cho xem, không làm gì.

    Chỉ điểm ảnh mất: hồ sơ, giấy tờ, phần đầu của ảnh và nhật ký vẫn còn. Không bao giờ gỡ lần chụp còn đang nhận, chưa vào hồ
    sơ, hoặc còn giấy hay lần gửi chưa xong. Không lấy lại được từ đây: PACS phải còn ảnh. Mã thoát 1 khi lần
    chụp nêu tên còn lại.

    Ví dụ: lienthong images prune --older-than 730d -c /etc/lienthong

    Ví dụ: lienthong images prune --study 1.2.840… -r "người bệnh rút đồng ý, QĐ 12" --yes -c /etc/lienthong
    """
    if bool(study) == bool(older_than):
        raise typer.BadParameter("cần --study hoặc --older-than, một trong hai", param_hint="--study")
    if yes and not reason.strip():
        raise ReasonMissing("--reason")
    clock = SystemClock()
    before = clock.now() - _age(older_than) if older_than else 0
    with ledger(config) as (plan, store):
        work = Pruning(plan, store, clock)
        found = list(work.chosen(study or (), before))
        if yes:
            work.finish()
            found = [one if one.stays else work.prune(one.uid, actor(), reason.strip()) for one in found]
    _tell(found, yes, json)
    if study and any(one.stays for one in found):
        raise typer.Exit(1)


def _age(text: str) -> int:
    try:
        return round(parse_duration(text).total_seconds() * SECOND)
    except ValueError:
        raise typer.BadParameter("viết như 730d, 24h", param_hint="--older-than") from None


def _tell(found: list[Choice], done: bool, json: bool) -> None:
    going = [one for one in found if not one.stays]
    if json:
        studies = [
            {
                "study": one.uid,
                "objects": one.objects,
                "bytes": one.size,
                "last_at": iso(one.last_at),
                "removed": done and not one.stays,
                "stays": one.stays or None,
            }
            for one in found
        ]
        print_json({"done": done, "removed": len(going) if done else 0, "studies": studies})
        return
    print_table(
        "Đã gỡ" if done else "Sẽ gỡ (chưa làm gì)",
        ("StudyInstanceUID", "ảnh", "byte", "mới nhất", "kết quả"),
        (
            (one.uid, str(one.objects), f"{one.size:,}".replace(",", "."), moment(one.last_at), _said(one, done))
            for one in found
        ),
        right=(1, 2),
    )
    size = f"{sum(one.size for one in going):,}".replace(",", ".")
    console.print(
        f"{len(going)} lần chụp, {sum(one.objects for one in going)} ảnh, {size} byte; ở lại {len(found) - len(going)}"
    )
    if not done and going:
        console.print("Chưa gỡ gì. Thêm --yes và --reason để gỡ.")


def _said(one: Choice, done: bool) -> str:
    if one.stays:
        return f"ở lại: {_STAYS[one.stays]}"
    return "đã gỡ" if done else "sẽ gỡ"
