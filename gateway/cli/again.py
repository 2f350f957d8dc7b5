"""`lienthong resend` and `lienthong reprocess`: for a selection — counted first, then at a rate, stoppable, in key order."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy.engine import Connection, Row

from gateway.cli import rehearsal
from gateway.cli.access import actor, ledger
from gateway.cli.output import HERE, Config, Json, console, errors, fault_dict, print_json, print_table
from gateway.clock import SystemClock, to_instant
from gateway.faults import NothingThere
from gateway.ops import again
from gateway.ops.again import Chosen, Selection
from gateway.ops.reports import span
from gateway.settings import Plan
from gateway.store import jobs
from gateway.store.engine import Store
from gateway.store.selections import Wanted
from mappings import documents as forms
from mappings.documents.faults import PaperUnknown
from mappings.formats.dates import zone_of

STOPPED = 130
"""Exit code of a run that somebody stopped, as of every program that Ctrl-C ends."""
_DAYS = ["%Y-%m-%d", "%d/%m/%Y"]
_MOMENTS = ("%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M")

Day = Annotated[datetime | None, typer.Option(formats=_DAYS, help="Chỉ của ngày này.", show_default=False)]
From = Annotated[str, typer.Option("--from", help="Từ ngày hoặc lúc này: 2026-11-25, 2026-11-25T07:30.")]
To = Annotated[str, typer.Option("--to", help="Đến hết ngày, hoặc đến trước lúc này.")]
Destinations = Annotated[
    list[str], typer.Option("--destination", help="Nơi nhận; nhiều nơi thì ghi nhiều lần, từng nơi một.")
]
Channels = Annotated[list[str], typer.Option("--channel", help="Chỉ kênh này.")]
Types = Annotated[list[str], typer.Option("--type", help="Chỉ loại bản tin này: ADT, ADT^A03.")]
Papers = Annotated[list[str], typer.Option("--paper", help="Chỉ loại giấy này.")]
States = Annotated[list[str], typer.Option("--state", help="Chỉ trạng thái này.")]
Faults = Annotated[list[str], typer.Option("--fault", help="Chỉ mã lỗi này: LT6002.")]
Patient = Annotated[str, typer.Option(help="Chỉ của người bệnh mang số này.")]
Encounter = Annotated[str, typer.Option(help="Chỉ của lượt khám, điều trị mang số này.")]
Controls = Annotated[list[str], typer.Option("--control-id", help="Chỉ bản tin mang MSH-10 này.")]
Messages = Annotated[list[str], typer.Option("--message", help="Chỉ bản tin có mã này.")]
Documents = Annotated[list[str], typer.Option("--document", help="Chỉ giấy có mã này.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Lý do, được ghi lại cùng tên người làm.")]
Rate = Annotated[str, typer.Option(help="Nhanh nhất: 10/min, 2/s, 100/h.")]
Yes = Annotated[bool, typer.Option("--yes", help="Làm; không có thì chỉ đếm.")]


def resend(
    config: Config = HERE,
    destination: Destinations = [],  # noqa: B006 - typer's form
    day: Day = None,
    from_: From = "",
    to: To = "",
    state: States = [],  # noqa: B006
    fault: Faults = [],  # noqa: B006
    channel: Channels = [],  # noqa: B006
    type_: Types = [],  # noqa: B006
    paper: Papers = [],  # noqa: B006
    patient: Patient = "",
    encounter: Encounter = "",
    control_id: Controls = [],  # noqa: B006
    message: Messages = [],  # noqa: B006
    document: Documents = [],  # noqa: B006
    delivery: Annotated[list[str], typer.Option("--delivery", help="Chỉ lần gửi có mã này.")] = [],  # noqa: B006
    force: Annotated[
        bool, typer.Option("--force", help="Cả những gì nơi nhận đã nhận, hoặc đã nhận bản mới hơn; cần --reason.")
    ] = False,
    reason: Reason = "",
    rate: Rate = "600/min",
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Gửi lại đúng các byte cũ với đúng khóa cũ, cho nhiều lần gửi chọn theo điều kiện. Không có --yes: chỉ đếm, không làm gì.

    Phải nêu từng nơi nhận. Không ghi --state: hàng lỗi. Dừng bằng Ctrl-C, làm tiếp bằng lienthong jobs resume.

    Ví dụ: lienthong resend --destination insurance_portal --fault LT6002 --day 2026-11-25

    Ví dụ: lienthong resend --destination insurance_portal --state accepted --day 2026-11-25 --force -r "cổng mất dữ liệu" --yes
    """
    if not destination:
        raise typer.BadParameter("phải nêu từng nơi nhận", param_hint="--destination")
    states = _among(state or ["error"], again.RESENT, "--state")
    _check(paper, rate)
    if "accepted" in states and yes and not force:
        raise typer.BadParameter("gửi lại thứ đã được nhận cần --force và --reason", param_hint="--state")
    if force and not reason.strip():
        raise typer.BadParameter("--force phải có lý do", param_hint="--reason")
    with ledger(config) as (plan, store):
        _known(plan, destination)
        begin, end = _span(plan, day, from_, to)
        selection = Selection(
            Wanted(
                begin, end, states, tuple(destination), _codes(fault), tuple(channel), tuple(type_), tuple(paper)
            ),
            tuple(message), tuple(document), tuple(delivery), tuple(control_id), patient, encounter,
        )  # fmt: skip
        if states != ("error",) and not selection.starts:
            raise typer.BadParameter(f"--state {states[-1]} {_NARROW}")
        chosen = store.read_now(lambda c: again.deliveries_to_resend(c, plan, selection, force=force))
        if not yes:
            _preview("resend", chosen, json, ("nơi nhận", "trạng thái", "vì sao không"), _told_against)
            return
        _begin(store, "resend", selection, chosen, reason=reason, force=force, rate=rate, json=json)


def reprocess(
    config: Config = HERE,
    destination: Destinations = [],  # noqa: B006
    day: Day = None,
    from_: From = "",
    to: To = "",
    state: States = [],  # noqa: B006
    fault: Faults = [],  # noqa: B006
    channel: Channels = [],  # noqa: B006
    type_: Types = [],  # noqa: B006
    paper: Papers = [],  # noqa: B006
    patient: Patient = "",
    encounter: Encounter = "",
    control_id: Controls = [],  # noqa: B006
    message: Messages = [],  # noqa: B006
    document: Documents = [],  # noqa: B006
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ánh xạ thử trong bộ nhớ, cho xem từng chỗ sẽ khác; không ghi gì.")
    ] = False,
    show_values: Annotated[
        bool, typer.Option("--show-values", help="Với --dry-run: cả giá trị cũ và mới. Chứa dữ liệu người bệnh.")
    ] = False,
    reason: Reason = "",
    rate: Rate = "600/min",
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Ánh xạ lại các bản tin đã lưu bằng ánh xạ hôm nay; giấy đổi nội dung thành phiên bản mới, nối với bản cũ, và được gửi.

    Không có --yes: chỉ đếm. Giấy không đổi thì không gửi lại. Phải nêu từng nơi nhận mà giấy mới sẽ tới.

    Ví dụ: lienthong reprocess --day 2026-11-25 --type ORU --dry-run

    Ví dụ: lienthong reprocess --fault LT6002 --destination insurance_portal --rate 60/min -r "đã sửa bảng mã khoa" --yes
    """
    if dry_run and yes:
        raise typer.BadParameter("chọn một: --dry-run hoặc --yes", param_hint="--dry-run")
    if show_values and not dry_run:
        raise typer.BadParameter("chỉ dùng với --dry-run", param_hint="--show-values")
    states = _among(state or again.REPROCESSED, again.REPROCESSED, "--state")
    _check(paper, rate)
    with ledger(config) as (plan, store):
        _known(plan, destination)
        begin, end = _span(plan, day, from_, to)
        selection = Selection(
            Wanted(
                begin, end, states, tuple(destination), _codes(fault), tuple(channel), tuple(type_), tuple(paper)
            ),
            tuple(message), tuple(document), (), tuple(control_id), patient, encounter,
        )  # fmt: skip
        if states != ("error",) and not (selection.starts or fault):
            raise typer.BadParameter(f"{_NARROW}, hoặc --fault, hoặc --state error")
        chosen = store.read_now(lambda c: again.messages_to_reprocess(c, plan, selection))
        if dry_run:
            rehearsal.run(plan, store, chosen, json=json, values=show_values)
        elif not yes:
            _preview("reprocess", chosen, json, ("kênh", "loại", "trạng thái"))
        else:
            _begin(store, "reprocess", selection, chosen, reason=reason, force=False, rate=rate, json=json)


_NARROW = "cần --day, --from, --patient, --encounter, --control-id hoặc mã của bản tin, giấy, lần gửi"


# ---- what was asked for ----


def _among(given: Sequence[str], possible: Sequence[str], option: str) -> tuple[str, ...]:
    for one in given:
        if one not in possible:
            raise typer.BadParameter(f"{one!r}: chỉ có {', '.join(sorted(possible))}", param_hint=option)
    return tuple(dict.fromkeys(given))


def _check(papers: Sequence[str], rate: str) -> None:
    for one in papers:
        if one not in forms.DOCUMENTS:
            raise PaperUnknown(one if one.isidentifier() else "")
    try:
        again.gap(rate)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--rate") from None


def _known(plan: Plan, destinations: Sequence[str]) -> None:
    for one in destinations:
        if one not in plan.routes:
            raise NothingThere(one, f"known: {', '.join(plan.routes)}")


def _codes(faults: Sequence[str]) -> tuple[int, ...]:
    for one in faults:
        if not re.fullmatch(r"(LT)?\d{4}", one):
            raise typer.BadParameter(f"{one!r}: viết như LT6002", param_hint="--fault")
    return tuple(int(one.removeprefix("LT")) for one in faults)


def _span(plan: Plan, day: datetime | None, from_: str, to: str) -> tuple[int, int]:
    """Give the first instant and the first after; 0 where it is open."""
    if day is not None and (from_ or to):
        raise typer.BadParameter("chọn một: --day hoặc --from, --to", param_hint="--day")
    if to and not from_:
        raise typer.BadParameter("cần cả --from", param_hint="--to")
    zone = plan.node.zone
    if day is not None:
        return span(day.date(), zone)
    begin = _bounds(from_, zone, "--from")[0] if from_ else 0
    end = _bounds(to, zone, "--to")[1] if to else 0
    if to and end <= begin:
        raise typer.BadParameter("phải sau --from", param_hint="--to")
    return begin, end


def _bounds(said: str, zone: str, option: str) -> tuple[int, int]:
    """Give where a day begins and ends; of a moment, twice that."""
    for form in (*_DAYS, *_MOMENTS):
        with suppress(ValueError):
            found = datetime.strptime(said, form).replace(tzinfo=zone_of(zone))
            return span(found.date(), zone) if form in _DAYS else (to_instant(found), to_instant(found))
    raise typer.BadParameter(f"{said!r}: viết như 2026-11-25 hoặc 2026-11-25T07:30", param_hint=option)


# ---- counting ----


_AGAINST = {
    "": "",
    again.UNSIGNED: "giấy chưa ký",
    again.OVERTAKEN: "nơi nhận đã nhận bản mới hơn: cần --force",
    again.FORCED: "đã nhận: cần --force",
}


def _told_against(cells: tuple[str, ...]) -> tuple[str, ...]:
    return (*cells[:-1], _AGAINST[cells[-1]])


def _preview(
    verb: str,
    chosen: Chosen,
    json: bool,
    heads: tuple[str, ...],
    told: Callable[[tuple[str, ...]], tuple[str, ...]] = lambda cells: cells,
) -> None:
    if json:
        names = ("destination", "state", "against") if verb == "resend" else ("channel", "type", "state")
        print_json(
            {
                "verb": verb,
                "would_do": len(chosen.items),
                "counted": [
                    dict(zip(names, cells, strict=True)) | {"number": number}
                    for cells, number in sorted(chosen.counted.items())
                ],
                "leads_to": list(chosen.leads_to),
            }
        )
        return
    print_table(
        "Đã chọn",
        (*heads, "số"),
        ((*told(cells), number) for cells, number in sorted(chosen.counted.items())),
        right=(len(heads),),
    )
    if chosen.leads_to:
        named = " ".join(f"--destination {name}" for name in chosen.leads_to)
        console.print(f"Giấy mới sẽ tới: {', '.join(chosen.leads_to)}. Để làm, nêu: {named}", soft_wrap=True)
    console.print(f"Sẽ làm {len(chosen.items)}. Chưa làm gì: thêm --yes để làm.", soft_wrap=True)


# ---- running ----


def _begin(
    store: Store,
    verb: str,
    selection: Selection,
    chosen: Chosen,
    *,
    reason: str,
    force: bool,
    rate: str,
    json: bool,
) -> None:
    clock, owner, who = SystemClock(), own_name(), actor()

    def unit(connection: Connection) -> str:
        return again.begin(
            connection,
            verb,
            selection,
            chosen,
            owner=owner,
            actor=who,
            reason=reason.strip(),
            force=force,
            rate=rate,
            clock=clock,
        )

    follow(store, store.write_now(unit), owner, json=json)


def own_name() -> str:
    """Name this process as the one that works on a job."""
    return f"{socket.gethostname()[:48]}:{os.getpid()}"


def follow(store: Store, job_id: str, owner: str, *, json: bool) -> None:
    """Work on a job before a person's eyes until it is done (exit 0, or 1 when something was left) or stopped (130)."""
    with _stoppable() as rest, _bar(json) as bar:
        task = bar.add_task(job_id)

        def told(at: again.Progress) -> None:
            bar.update(task, total=at.total, completed=at.done + at.left)

        at = again.work(store, job_id, owner, actor(), SystemClock(), rest=rest, told=told)
    left = store.read_now(lambda connection: jobs.left(connection, job_id))
    if json:
        print_json(job_dict(job_id, at, left))
    else:
        tell_left(left)
        console.print(
            f"{job_id}: {STATES[at.state]} — {at.done} đã làm, {at.left} không làm được, {at.waiting} còn lại"
        )
        if at.state == "stopped":
            console.print(f"Làm tiếp: lienthong jobs resume {job_id}", soft_wrap=True)
    raise typer.Exit(STOPPED if at.state == "stopped" else 1 if at.left else 0)


STATES = {"running": "đang chạy", "stopped": "đã dừng", "done": "xong"}


def job_dict(job_id: str, at: again.Progress, left: Sequence[Row[Any]]) -> Mapping[str, Any]:
    return {
        "job": job_id,
        "state": at.state,
        "total": at.total,
        "done": at.done,
        "left": [{"id": one.target, "fault": fault_dict(one.fault_code, "", one.fault_detail)} for one in left],
        "waiting": at.waiting,
    }


def tell_left(left: Sequence[Row[Any]]) -> None:
    for one in left:
        console.print(f"{one.target}: LT{one.fault_code:04d} {one.fault_detail}", soft_wrap=True, markup=False)


@contextmanager
def _bar(json: bool) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=errors, disable=json or not errors.is_terminal) as progress:
        yield progress


@contextmanager
def _stoppable() -> Iterator[Callable[[float], bool]]:
    """Let Ctrl-C and SIGTERM end the waiting between two items, never an item."""
    read, write = os.pipe()
    wanted = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(one, lambda *_: os.write(write, b".") and None) for one in wanted]
    try:
        yield lambda seconds: bool(select.select([read], [], [], seconds)[0])
    finally:
        for one, handler in zip(wanted, before, strict=True):
            signal.signal(one, handler)
        os.close(read)
        os.close(write)
