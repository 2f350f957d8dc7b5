"""`lienthong certs request … revoke, incident`: one step in the life of a certificate per command."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.engine import Connection

from gateway.certificates import procedure, register
from gateway.certificates.register import Act
from gateway.certificates.told import STATES
from gateway.cli.access import actor, ledger
from gateway.cli.output import HERE, Config, Json, console, print_json
from gateway.clock import SystemClock
from gateway.settings import Plan
from signing.keys import kinds

Key = Annotated[str, typer.Argument(help="Mã chứng thư trong sổ, số sê-ri chứng thư, hoặc mã nhân viên.")]
Keys = Annotated[list[str], typer.Argument(help="Một hay nhiều mã chứng thư, số sê-ri hoặc mã nhân viên.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Lý do (bắt buộc), được ghi lại cùng tên người làm.")]
Why = Annotated[str, typer.Option("--reason", "-r", help="Ghi chú, được ghi lại cùng tên người làm.")]
On = Annotated[str, typer.Option("--on", help="Ngày, 2026-11-05 hoặc 05/11/2026; mặc định hôm nay.")]
Device = Annotated[str, typer.Option("--device", help=f"Thiết bị: {', '.join(register.DEVICES)}.")]
Provider = Annotated[str, typer.Option(help="Tổ chức cung cấp dịch vụ chứng thực chữ ký số công cộng.")]
Step = Callable[[Connection, Plan, Act], dict[str, Any]]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for name, command in _COMMANDS.items():
        app.command(name)(command)


def request(
    holder: Annotated[str, typer.Option(help="Mã nhân viên của người cần chứng thư.")] = "",
    seal: Annotated[bool, typer.Option("--seal", help="Chứng thư của chính cơ sở: con dấu số.")] = False,
    device: Device = "usb_token",
    provider: Provider = "",
    reason: Why = "",
    config: Config = HERE,
    json: Json = False,
) -> None:
    """Đề nghị cấp chứng thư cho một người trong sổ (thêm người bằng `certs import`), hoặc cho con dấu của cơ sở.

    Ví dụ: lienthong certs request --holder NV001 --provider "VNPT-CA"
    """
    if bool(holder) == seal:
        raise typer.BadParameter("chọn một: --holder MÃ hoặc --seal")
    _known_device(device)

    _run(
        lambda c, plan, act: procedure.request(
            c, plan, act, holder=holder, seal=seal, device=device, provider=provider
        ),
        config,
        reason,
        json,
    )


def approve(keys: Keys, reason: Why = "", config: Config = HERE, json: Json = False) -> None:
    """Duyệt đề nghị: gửi cho nhà cung cấp được cấp phép.

    Ví dụ: lienthong certs approve NV001 NV002 -r "Quyết định 12/QĐ-BV"
    """
    _each(keys, "approve", config, reason, json)


def reject(keys: Keys, reason: Reason, config: Config = HERE, json: Json = False) -> None:
    """Từ chối đề nghị, hoặc bỏ đề nghị đã duyệt mà nhà cung cấp chưa cấp.

    Ví dụ: lienthong certs reject NV001 -r "không còn làm công việc phải ký"
    """
    _each(keys, "reject", config, reason, json)


def issue(
    key: Key,
    file: Annotated[
        Path, typer.Argument(help="Chứng thư (PEM hoặc DER) nhà cung cấp đã cấp.", exists=True, dir_okay=False)
    ],
    device: Device = "",
    device_serial: Annotated[str, typer.Option(help="Số sê-ri thiết bị.")] = "",
    provider: Provider = "",
    key_kind: Annotated[str, typer.Option(help=f"Khóa được dùng qua: {', '.join(kinds())}.")] = "",
    key_name: Annotated[str, typer.Option(help="Tên của khóa trong cấu hình.")] = "",
    reason: Why = "",
    config: Config = HERE,
    json: Json = False,
) -> None:
    """Gắn chứng thư đã cấp vào đề nghị đã duyệt: thuộc CA trong `trust`, đủ mạnh, còn hạn, đúng tên người giữ.

    Ví dụ: lienthong certs issue NV001 nguyen-van-an.cer --device-serial VT-0042
    """
    if device:
        _known_device(device)
    if key_kind and key_kind not in kinds():
        raise typer.BadParameter(f"chỉ có {', '.join(kinds())}", param_hint="--key-kind")

    data = file.read_bytes()
    _run(
        lambda c, plan, act: procedure.issue(
            c,
            plan,
            act,
            key,
            data,
            device=device,
            device_serial=device_serial,
            provider=provider,
            key_kind=key_kind,
            key_name=key_name,
        ),
        config,
        reason,
        json,
    )


def handover(
    key: Key,
    handed_by: Annotated[str, typer.Option(help="Người giao.")],
    device_serial: Annotated[str, typer.Option(help="Số sê-ri thiết bị; mặc định như khi cấp.")] = "",
    received_by: Annotated[str, typer.Option(help="Con dấu: người được giao quản lý. Người: chính người giữ.")] = "",
    on: On = "",
    reason: Why = "",
    config: Config = HERE,
    json: Json = False,
) -> None:
    """Ghi nhận biên bản bàn giao thiết bị tận tay người giữ (in bằng `certs form handover`).

    Ví dụ: lienthong certs handover NV001 --handed-by "Lê Thị Lan" --device-serial VT-0042 --on 05/11/2026
    """

    _run(
        lambda c, _plan, act: procedure.hand_over(
            c,
            act,
            key,
            on=_day(on, act),
            handed_by=handed_by,
            device_serial=device_serial,
            received_by=received_by,
        ),
        config,
        reason,
        json,
    )


def device(
    key: Key,
    serial: Annotated[str, typer.Option(help="Số sê-ri mà thiết bị tự báo.")],
    reason: Why = "",
    config: Config = HERE,
    json: Json = False,
) -> None:
    """Sửa số sê-ri thiết bị trong biên bản bàn giao của một chứng thư, kèm lý do.

    Ví dụ: lienthong certs device NV001 --serial 3F0E12 --reason "biên bản ghi số dán trên vỏ"
    """
    _run(lambda c, _plan, act: procedure.device(c, act, key, serial), config, reason, json)


def commit(
    holder: Annotated[str, typer.Argument(help="Mã nhân viên; với con dấu là mã cơ sở.")],
    file: Annotated[
        Path | None,
        typer.Option(help="Bản cam kết đã ký (quét hoặc điện tử); chỉ lưu mã băm.", exists=True, dir_okay=False),
    ] = None,
    reference: Annotated[str, typer.Option(help="Nơi giữ bản giấy, hoặc số văn bản.")] = "",
    on: On = "",
    reason: Why = "",
    config: Config = HERE,
    json: Json = False,
) -> None:
    """Ghi nhận bản cam kết người giữ đã ký (in bằng `certs form commitment`). Không có thì không kích hoạt được.

    Ví dụ: lienthong certs commit NV001 --file cam-ket-NV001.pdf --reference "Tủ 3, số 12" --on 05/11/2026
    """
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest() if file else ""
    who, now = actor(), SystemClock().now()
    with ledger(config) as (_, store):
        act = Act(who, reason, now)
        said = store.write_now(
            lambda c: procedure.commit(c, act, holder, on=_day(on, act), sha256=sha256, reference=reference)
        )
    if json:
        print_json(said)
    else:
        console.print(f"{said['holder']}: đã ghi cam kết ngày {said['on']}")


def activate(keys: Keys, reason: Why = "", config: Config = HERE, json: Json = False) -> None:
    """Kích hoạt: từ lúc này chứng thư ký được. Phải có biên bản bàn giao và bản cam kết.

    Ví dụ: lienthong certs activate NV001
    """
    _each(keys, "activate", config, reason, json)


def suspend(key: Key, reason: Reason, config: Config = HERE, json: Json = False) -> None:
    """Tạm ngừng ngay: không ký được nữa; chữ ký đã có vẫn có giá trị.

    Ví dụ: lienthong certs suspend NV001 -r "nghỉ dài ngày"
    """
    _run(lambda c, _plan, act: procedure.suspend(c, act, key), config, reason, json)


def resume(key: Key, reason: Reason, config: Config = HERE, json: Json = False) -> None:
    """Cho dùng lại chứng thư đang tạm ngừng; sự cố mất thiết bị, lộ khóa phải kết thúc trước.

    Ví dụ: lienthong certs resume NV001 -r "trở lại làm việc"
    """
    _each([key], "resume", config, reason, json)


def revoke(
    key: Key,
    reason: Reason,
    effective: Annotated[
        str, typer.Option(help="Có hiệu lực từ (đã qua): 2026-11-05 hoặc 2026-11-05T14:30; mặc định ngay bây giờ.")
    ] = "",
    device_returned: Annotated[
        bool | None, typer.Option("--device-returned/--device-not-returned", help="Đã thu lại thiết bị hay chưa.")
    ] = None,
    config: Config = HERE,
    json: Json = False,
) -> None:
    """Thu hồi vĩnh viễn. Chữ ký trước thời điểm có hiệu lực vẫn có giá trị; giấy ký từ thời điểm đó được nêu tên.

    Chỉ thu hồi trong cổng: còn phải báo nhà cung cấp để họ thu hồi chứng thư (CRL, OCSP).

    Ví dụ: lienthong certs revoke NV001 -r "nghỉ việc từ 01/11" --effective 2026-11-01 --device-returned
    """
    try:
        at = register.day_or_instant(effective) if effective else 0
    except ValueError:
        raise typer.BadParameter("viết như 2026-11-05 hoặc 2026-11-05T14:30", param_hint="--effective") from None
    _run(
        lambda c, _plan, act: procedure.revoke(c, act, key, effective_at=at, device_returned=device_returned),
        config,
        reason,
        json,
    )


def renew(key: Key, reason: Why = "", config: Config = HERE, json: Json = False) -> None:
    """Đề nghị chứng thư thay thế (gần hết hạn, hỏng, mất); chứng thư cũ ký tiếp cho đến khi hết hạn hoặc bị thu hồi.

    Ví dụ: lienthong certs renew NV001
    """

    _run(lambda c, _plan, act: procedure.renew(c, act, key), config, reason, json)


def incident(
    key: Annotated[str, typer.Argument(help="Mã chứng thư, số sê-ri hoặc mã nhân viên; với --close: mã sự cố.")],
    reason: Reason,
    kind: Annotated[str, typer.Option(help=f"Chuyện gì: {', '.join(register.INCIDENTS)}.")] = "",
    close: Annotated[bool, typer.Option("--close", help="Kết thúc sự cố; lý do nói kết quả xử lý.")] = False,
    config: Config = HERE,
    json: Json = False,
) -> None:
    """Ghi sự cố. Mất thiết bị (lost), nghi lộ khóa (exposed): tạm ngừng ngay và dừng mọi việc ký đang chờ của người giữ.

    Quên PIN, bị khóa, hỏng: mở khóa với nhà cung cấp rồi --close, hoặc `certs renew`.

    Ví dụ: lienthong certs incident NV001 --kind lost -r "mất túi trên xe buýt"
    """
    if close == bool(kind):
        raise typer.BadParameter("chọn một: --kind hoặc --close")
    if kind and kind not in register.INCIDENTS:
        raise typer.BadParameter(f"chỉ có {', '.join(register.INCIDENTS)}", param_hint="--kind")

    if close:
        _run(lambda c, _plan, act: procedure.settle(c, act, key), config, reason, json)
    else:
        _run(lambda c, _plan, act: procedure.incident(c, act, key, kind), config, reason, json)


# ---- how a step is run and told ----


def _each(keys: list[str], step: str, config: Path, reason: str, json: bool) -> None:
    who, now = actor(), SystemClock().now()
    with ledger(config) as (_, store):
        said = store.write_now(lambda c: procedure.each(c, Act(who, reason, now), keys, step))
    if json:
        print_json(said)
        return
    for one in said:
        _tell(one)


def _run(step: Step, config: Path, reason: str, json: bool) -> None:
    who, now = actor(), SystemClock().now()
    with ledger(config) as (plan, store):
        said = store.write_now(lambda c: step(c, plan, Act(who, reason, now)))
    if json:
        print_json(said)
    else:
        _tell(said)


def _tell(said: dict[str, Any]) -> None:
    who = said["holder"]
    console.print(f"{said['id']}  {who['code']} {who['name']}: {STATES[said['state']]}", soft_wrap=True)
    if "incident" in said:
        console.print(f"sự cố {said['incident']}", soft_wrap=True)
    if said.get("stopped_tasks"):
        console.print(f"đã dừng {said['stopped_tasks']} việc ký đang chờ")
    if said.get("signed_since"):
        console.print(
            f"[yellow]{len(said['signed_since'])} giấy đã ký bằng chứng thư này từ thời điểm có hiệu lực, phải xem lại:[/]"
        )
        for document in said["signed_since"]:
            console.print(f"  {document}", soft_wrap=True)


def _known_device(device: str) -> None:
    if device not in register.DEVICES:
        raise typer.BadParameter(f"chỉ có {', '.join(register.DEVICES)}", param_hint="--device")


def _day(text: str, act: Act) -> date:
    try:
        return procedure.day(text, act)
    except ValueError:
        raise typer.BadParameter("viết như 2026-11-05 hoặc 05/11/2026", param_hint="--on") from None


_COMMANDS: dict[str, Callable[..., None]] = {
    "request": request,
    "approve": approve,
    "reject": reject,
    "issue": issue,
    "handover": handover,
    "device": device,
    "commit": commit,
    "activate": activate,
    "suspend": suspend,
    "resume": resume,
    "revoke": revoke,
    "renew": renew,
    "incident": incident,
}
