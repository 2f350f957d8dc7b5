"""`lienthong images export`: a study as files that no longer say whose it is."""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress
from sqlalchemy.engine import Row

from gateway.cli.access import actor, ledger
from gateway.cli.output import HERE, Config, Json, complain, console, errors, fault_dict, print_json
from gateway.clock import SystemClock
from gateway.faults import NothingThere, ReasonMissing
from gateway.settings import Plan
from gateway.store import actions, images
from gateway.store.objects import Objects
from mappings.dicom.burned_in import Verdict, burned_in
from mappings.dicom.confidentiality import Options
from mappings.dicom.deidentify import deidentify
from mappings.dicom.faults import MayBeBurnedIn
from mappings.dicom.part10 import read_object, write_object
from mappings.dicom.pseudonyms import Pseudonyms
from mappings.formats.faults import Fault, MappingFault


class Keep(StrEnum):
    dates = "dates"
    characteristics = "characteristics"
    device = "device"


@dataclass
class _Export:
    """One export: what is asked, and what came of it."""

    key: bytes
    options: Options
    with_burned_in: bool
    folder: Path
    written: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    left: list[Fault] = field(default_factory=list)

    def take(self, object_id: str, data: bytes) -> None:
        """Write one object, or note why it stays here."""
        try:
            dataset = read_object(data)
            verdict = burned_in(dataset)
            made = deidentify(dataset, self.key, self.options)
            self.verdicts[verdict] += 1
            if verdict is not Verdict.NO and not self.with_burned_in:
                raise MayBeBurnedIn(detail=verdict.value)
            body = write_object(made)
        except MappingFault as fault:
            fault.where = object_id
            self.left.append(fault)
            return
        _write(self.folder / f"{made.SOPInstanceUID}.dcm", body)
        self.written += 1


def add_to(app: typer.Typer) -> None:
    app.command("export")(export)


def export(
    study: Annotated[str, typer.Argument(help="StudyInstanceUID (lienthong images).", metavar="UID")],
    out: Annotated[Path, typer.Option("--out", help="Thư mục mới hoặc rỗng để ghi tệp.", metavar="THƯ_MỤC")],
    keep: Annotated[
        list[Keep] | None,
        typer.Option(
            "--keep",
            help="Giữ thêm: dates (ngày đã dời, cùng số ngày cho một người), characteristics (tuổi, giới, cân nặng…), "
            "device (số máy, tên trạm). Dùng nhiều lần được.",
        ),
    ] = None,
    with_burned_in: Annotated[
        bool, typer.Option("--with-burned-in", help="Ghi cả ảnh có thể có chữ in trong điểm ảnh; phải có --reason.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Lý do, được ghi cùng tên người làm.")] = "",
    config: Config = HERE,
    json: Json = False,
) -> None:
    """Xuất một lần chụp đã khử định danh (DICOM PS3.15, hồ sơ cơ bản): mỗi đối tượng một tệp, UID và mã người bệnh đều mới.

    Điểm ảnh không đổi. Ảnh có thể có tên in sẵn bên trong (siêu âm, ảnh chụp màn hình, giấy quét…) và tài liệu gói (PDF)
    không được ghi, mỗi ảnh một dòng nói vì sao. Mã thoát 1 khi có đối tượng không được ghi. Cùng nút, cùng lần chụp: cùng UID.

    Ví dụ: lienthong images export 1.2.840… --out /tmp/nghien-cuu --keep dates --keep characteristics -c /etc/lienthong
    """
    if with_burned_in and not reason.strip():
        raise ReasonMissing(study)
    _check_folder(out)
    kept = sorted({one.value for one in keep or ()})
    with ledger(config) as (plan, store):
        row = store.read_now(lambda connection: images.get_study(connection, study))
        if row is None:
            raise NothingThere(study)
        found = store.read_now(lambda connection: images.of_study(connection, study))
        words = ["deidentified", *kept, *(["with burned in"] if with_burned_in else []), reason.strip()]
        note = "; ".join(word for word in words if word)
        now = SystemClock().now()
        store.write_now(lambda c: actions.insert(c, at=now, actor=actor(), verb="export", target=study, reason=note))
        options = Options(**dict.fromkeys(kept, True), subject=_subject(plan, row))
        work = _Export(plan.keyring.search_key("deidentified", "export"), options, with_burned_in, out)
        objects = Objects(plan.objects_folder, plan.keyring, plan.node.name)
        _make_folder(out)
        with Progress(console=errors, transient=True, disable=json or not sys.stderr.isatty()) as progress:
            for each in progress.track(found, description="đối tượng"):
                work.take(each.id, b"".join(objects.read(each.id)))
    _tell(work, study, kept, json)
    if work.left:
        raise typer.Exit(1)


def _subject(plan: Plan, row: Row[Any]) -> str:
    """Give whose a study is that was given to another person; empty: its objects say it."""
    return plan.keyring.open(row.assigned, f"assigned/{row.uid}").decode() if row.assigned else ""


def _check_folder(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise typer.BadParameter(f"{out}: phải là thư mục mới hoặc rỗng", param_hint="--out")
    if not out.parent.is_dir():
        raise typer.BadParameter(f"{out.parent} không phải thư mục", param_hint="--out")


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"{out}: {os.strerror(error.errno or 0)}", param_hint="--out") from None


def _write(path: Path, body: bytes) -> None:
    """Write a file for its owner's eyes only; half of one does not stay."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(body)
    except OSError as error:
        if not isinstance(error, FileExistsError):
            path.unlink(missing_ok=True)
        raise typer.BadParameter(f"{path}: {os.strerror(error.errno or 0)}", param_hint="--out") from None


def _tell(work: _Export, study: str, kept: list[str], json: bool) -> None:
    new = Pseudonyms(work.key).uid(study)
    if json:
        print_json(
            {
                "folder": str(work.folder),
                "study": new,
                "objects": work.written,
                "keep": kept,
                "burned_in": {verdict.value: work.verdicts[verdict] for verdict in Verdict},
                "left": [{"object": one.where, "fault": fault_dict(one.code, "", one.detail)} for one in work.left],
            }
        )
        return
    for fault in work.left:
        complain(fault)
    console.print(f"{work.folder}: đã ghi {work.written} đối tượng, không ghi {len(work.left)}", soft_wrap=True)
    console.print(f"StudyInstanceUID mới: {new}", soft_wrap=True)
    if work.with_burned_in and work.verdicts[Verdict.NO] < work.verdicts.total():
        console.print("Có ảnh có thể có chữ in trong điểm ảnh: phải xem từng ảnh trước khi đưa ra ngoài.")
