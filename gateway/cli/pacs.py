"""`lienthong pacs`: ask a PACS which studies it has, fetch one, ask whether it keeps a study for certain."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from connectors.dicom_client import Client, Progress, StudyRow
from connectors.dicom_peer import PacsSettings
from connectors.faults import CannotAsk
from gateway.cli.access import actor, ledger
from gateway.cli.output import HERE, Config, Json, complain, console, errors, print_json, print_table
from gateway.clock import SystemClock
from gateway.faults import NothingThere, SettingInvalid
from gateway.pacs import By, Fetch, Fetched, pacs_named
from gateway.store import actions
from gateway.store.engine import Store

app = typer.Typer(help="PACS: hỏi có lần chụp nào, lấy về, hỏi PACS có chắc chắn giữ ảnh không.", no_args_is_help=True)

Name = Annotated[str, typer.Option("--pacs", help="Tên PACS ([[pacs]] name), khi có nhiều.")]


def _uid(text: str) -> str:
    if not re.fullmatch(r"[0-9.]{1,64}", text.strip()):
        raise typer.BadParameter("UID chỉ gồm số và dấu chấm, tối đa 64 ký tự")
    return text.strip()


Study = Annotated[str, typer.Argument(help="StudyInstanceUID (lienthong pacs find).", metavar="UID", callback=_uid)]

_DAY = "%Y-%m-%d"
_SHOWN = 20
"""Objects named at most in what a person reads; `--json` has all."""
_STORE_AWAY = 4


@app.callback()
def pacs() -> None:
    """PACS: hỏi có lần chụp nào, lấy về, hỏi PACS có chắc chắn giữ ảnh không."""


@app.command("echo")
def echo(config: Config = HERE, name: Name = "", json: Json = False) -> None:
    """Thử kết nối tới PACS (C-ECHO): địa chỉ, TLS, AE title hai phía.

    Ví dụ: lienthong pacs echo -c /etc/lienthong
    """
    with ledger(config) as (plan, _):
        settings = pacs_named(plan, name)
        started = SystemClock().now()
        Client(settings).echo()
        took_ms = (SystemClock().now() - started) // 1000
    if json:
        print_json({"pacs": settings.name, "ae_title": settings.ae_title, "milliseconds": took_ms})
    else:
        console.print(f"{settings.name}: {settings.ae_title} trả lời sau {took_ms} ms")


@app.command("find")
def find(
    config: Config = HERE,
    name: Name = "",
    patient: Annotated[str, typer.Option("--patient", help="Mã bệnh nhân; * và ? thay ký tự bất kỳ.")] = "",
    accession: Annotated[str, typer.Option("--accession", help="Số accession.")] = "",
    day: Annotated[
        str,
        typer.Option("--day", help="Ngày chụp 2026-11-05, hoặc khoảng 2026-11-01..2026-11-30 (để trống một đầu được)."),
    ] = "",
    modality: Annotated[str, typer.Option("--modality", help="Loại máy: CT, MR, US, DX …")] = "",
    study: Annotated[str, typer.Option("--study", help="StudyInstanceUID.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Số dòng nhiều nhất; PACS được bảo thôi sau đó.")] = 200,
    json: Json = False,
) -> None:
    """Liệt kê lần chụp trong PACS (C-FIND). Chứa dữ liệu người bệnh; việc hỏi được ghi nhật ký, không kèm dữ liệu.

    Ví dụ: lienthong pacs find --patient BN000123 --modality CT -c /etc/lienthong
    """
    keys = {
        "PatientID": patient.strip(),
        "AccessionNumber": accession.strip(),
        "StudyDate": _range(day.strip()),
        "ModalitiesInStudy": modality.strip().upper(),
        "StudyInstanceUID": study.strip(),
    }
    given = {keyword: value for keyword, value in keys.items() if value}
    if not given:
        raise typer.BadParameter(
            "cần ít nhất một điều kiện, nếu không PACS phải trả về mọi lần chụp", param_hint="find"
        )
    with ledger(config) as (plan, store):
        settings = pacs_named(plan, name)
        _note(store, "pacs-find", settings.name, ", ".join(given))
        found = Client(settings).find(StudyRow, given, limit)
    found.sort(key=lambda one: (one["StudyDate"], one["StudyTime"], one["StudyInstanceUID"]), reverse=True)
    if json:
        print_json(found)
        return
    print_table(
        f"Lần chụp trong {settings.name}",
        ("StudyInstanceUID", "ngày", "mã BN", "họ tên", "accession", "loại", "mô tả", "ảnh"),
        (
            (
                one["StudyInstanceUID"],
                _date(one["StudyDate"]),
                one["PatientID"],
                one["PatientName"].partition("=")[0].replace("^", " ").strip(),
                one["AccessionNumber"],
                " ".join(one["ModalitiesInStudy"]),
                one["StudyDescription"],
                str(one["NumberOfStudyRelatedInstances"] or ""),
            )
            for one in found
        ),
        right=(7,),
    )
    if len(found) == limit:
        errors.print(f"Chỉ hiện {limit} lần chụp; thu hẹp điều kiện hoặc tăng --limit.")


def _range(text: str) -> str:
    """Write a day or a span of days as DICOM does; raises SettingInvalid."""
    if not text:
        return ""
    first, dots, last = text.partition("..")
    try:
        days = [datetime.strptime(one, _DAY).strftime("%Y%m%d") if one else "" for one in (first, last)]  # noqa: DTZ007
    except ValueError:
        raise SettingInvalid("--day", "2026-11-05, 2026-11-01..2026-11-30, 2026-11-01.. or ..2026-11-30") from None
    return "-".join(days) if dots and any(days) else days[0]


def _date(text: str) -> str:
    return f"{text[6:8]}/{text[4:6]}/{text[:4]}" if re.fullmatch(r"\d{8}", text) else text


@app.command("fetch")
def fetch(
    study: Study,
    config: Config = HERE,
    name: Name = "",
    by: Annotated[
        Literal["move", "get"] | None,
        typer.Option(
            "--by",
            help="move: PACS gửi tới kênh của nút đang chạy; get: nhận ngay tại lệnh này. Mặc định theo move_to.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Lấy một lần chụp từ PACS: chỉ hỏi những ảnh chưa có, chạy lại thì lấy tiếp. Nút đang chạy báo khi lần chụp đủ.

    Mã thoát: 0 đã có đủ · 1 còn thiếu, hoặc PACS không gửi · 4 đĩa hoặc sổ cái không nhận.

    Ví dụ: lienthong pacs fetch 1.2.840… --by get -c /etc/lienthong
    """
    with ledger(config) as (plan, store):
        settings = pacs_named(plan, name)
        way: By = by or ("move" if settings.move_to else "get")
        _note(store, "pacs-fetch", study, f"{settings.name}, by {way}")
        with _bar(json) as tell:
            fetched = Fetch(plan, store, SystemClock(), settings).run(study, way, tell)
    if not fetched.there:
        raise NothingThere(f"pacs {settings.name}")
    if json:
        print_json(_told(study, settings, way, fetched))
    else:
        _show(fetched, way)
    if fetched.missing:
        raise typer.Exit(_STORE_AWAY if fetched.store_away else 1)


@contextmanager
def _bar(json: bool) -> Iterator[Callable[[Progress], None]]:
    """Show how far it is, to people only."""
    if json or not errors.is_terminal:
        yield lambda progress: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]}"))
    with Bar(*columns, console=errors, transient=True) as bar:
        task = bar.add_task("ảnh", total=None, failed="")

        def tell(progress: Progress) -> None:
            done = progress.completed + progress.warning
            failed = f"lỗi {progress.failed}" if progress.failed else ""
            bar.update(task, completed=done, total=done + progress.failed + progress.remaining, failed=failed)

        yield tell


def _told(study: str, settings: PacsSettings, way: By, fetched: Fetched) -> dict[str, Any]:
    return {
        "study": study,
        "pacs": settings.name,
        "by": way,
        "objects": len(fetched.there),
        "held_before": len(fetched.before),
        "held": len(fetched.now),
        "missing": sorted(fetched.missing),
        "not_kept": dict(fetched.refused),
        "fault": str(fetched.fault) if fetched.fault else None,
    }


def _show(fetched: Fetched, way: By) -> None:
    came = len(fetched.now) - len(fetched.before)
    console.print(f"PACS có {len(fetched.there)} ảnh; đã có trước {len(fetched.before)}, lấy thêm {came}.")
    for fault, times in fetched.refused.items():
        errors.print(f"Không giữ được {times} ảnh: {fault} (xem lienthong images aside)")
    if not fetched.missing:
        console.print("Đã có đủ." + (" Nút đang chạy sẽ báo về lần chụp này." if came else ""))
        return
    if fetched.fault is not None:
        complain(fetched.fault)
    elif way == "move":
        errors.print(
            "PACS báo đã gửi mà sổ cái chưa có: kiểm tra nút có đang chạy và move_to có đúng kênh của nó không."
        )
    _name("Còn thiếu", sorted(fetched.missing))
    errors.print("Chạy lại lệnh này để lấy tiếp phần còn thiếu.")


def _name(what: str, uids: list[str]) -> None:
    errors.print(f"{what} {len(uids)}:")
    for uid in uids[:_SHOWN]:
        errors.print(f"  {uid}")
    if len(uids) > _SHOWN:
        errors.print(f"  … và {len(uids) - _SHOWN} nữa (--json)")


@app.command("commit")
def commit(study: Study, config: Config = HERE, name: Name = "", json: Json = False) -> None:
    """Hỏi PACS có chắc chắn giữ mọi ảnh của một lần chụp không (storage commitment): ảnh PACS kể và ảnh cổng đang giữ.

    Mã thoát: 0 giữ đủ · 1 thiếu, hoặc không có báo cáo.

    Ví dụ: lienthong pacs commit 1.2.840… -c /etc/lienthong
    """
    with ledger(config) as (plan, store):
        settings = pacs_named(plan, name)
        _note(store, "pacs-commit", study, settings.name)
        objects = Fetch(plan, store, SystemClock(), settings).objects(study)
        if not objects:
            raise NothingThere(f"pacs {settings.name}")
        asked = sorted((sop_class, one) for one, sop_class in objects.items() if sop_class)
        if not asked:
            raise CannotAsk(
                f"pacs {settings.name}", "it does not tell SOPClassUID, and nothing of the study is held here"
            )
        told = Client(settings).commit(asked)
        unsaid = sorted(told.unsaid | {one for one, sop_class in objects.items() if not sop_class})
    if json:
        print_json(
            {
                "study": study,
                "pacs": settings.name,
                "objects": len(objects),
                "kept": len(told.kept),
                "not_kept": {one: f"{reason:04X}" for one, reason in sorted(told.failed.items())},
                "not_mentioned": unsaid,
            }
        )
    else:
        console.print(f"PACS chắc chắn giữ {len(told.kept)} trong {len(objects)} ảnh.")
        if told.failed:
            _name("PACS không giữ", [f"{one} ({reason:04X})" for one, reason in sorted(told.failed.items())])
        if unsaid:
            _name("PACS không nhắc tới", unsaid)
    if len(told.kept) < len(objects):
        raise typer.Exit(1)


def _note(store: Store, verb: str, target: str, reason: str) -> None:
    """Write to the log of actions who asked for what; nothing of a patient."""
    now = SystemClock().now()
    store.write_now(lambda c: actions.insert(c, at=now, actor=actor(), verb=verb, target=target, reason=reason))
