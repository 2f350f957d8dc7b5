"""`lienthong sign`: what waits for whom, sign it, refuse it, leave a signature out."""

from __future__ import annotations

import platform
from typing import Annotated, Any

import typer
from rich.markup import escape
from sqlalchemy.engine import Connection

from gateway import signing_run, signing_tasks
from gateway.cli import sign_evidence
from gateway.cli.access import actor, ledger, remember
from gateway.cli.output import (
    HERE,
    Config,
    Json,
    console,
    errors,
    fault_dict,
    language,
    moment,
    print_json,
    print_table,
)
from gateway.clock import SystemClock
from gateway.faults import SignerUnknown
from gateway.settings import Plan
from gateway.signing_relay import is_near, told
from gateway.store import signing_tasks as rows
from gateway.text import text
from mappings.formats.values import Secret
from signing.contract import KeyProvider
from signing.keys import open_key

app = typer.Typer(help="Ký số: giấy nào chờ ai, ký theo lô, từ chối, bỏ qua.", invoke_without_command=True)

Holder = Annotated[str, typer.Option("--holder", help="Mã người ký, như trong [[signer]].")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Lý do (bắt buộc), không ghi dữ liệu người bệnh.")]
Task = Annotated[str, typer.Argument(help="Mã việc ký, từ lienthong sign list.")]


@app.callback()
@app.command("list")
def list_(
    context: typer.Context,
    config: Config = HERE,
    holder: Annotated[str, typer.Option("--holder", help="Chỉ việc người này được ký.")] = "",
    paper: Annotated[list[str], typer.Option("--paper", help="Chỉ các loại giấy này.")] = [],  # noqa: B006 - typer's form
    overdue: Annotated[bool, typer.Option("--overdue", help="Chỉ việc sắp hoặc đã quá hạn.")] = False,
    limit: Annotated[int, typer.Option(help="Số dòng nhiều nhất; 0 = tất cả.")] = 0,
    json: Json = False,
) -> None:
    """Liệt kê giấy chờ ký, cũ nhất trước: chờ bước nào, chờ ai, hạn lúc nào.

    Ví dụ: lienthong sign list --holder BS001 -c /etc/lienthong
    """
    if context.invoked_subcommand:
        remember(config)
        return
    now = SystemClock().now()
    with ledger(config) as (plan, store):

        def query(connection: Connection) -> list[tuple[dict[str, Any], int]]:
            if holder:
                tasks = signing_tasks.work_list(connection, plan, holder, now, papers=paper)
                tasks = [task for task in tasks if not overdue or is_near(task, now)]
            else:
                tasks = rows.open_tasks(connection, papers=paper, near_at=now if overdue else 0)
            return [(told(connection, plan, task, now), task.deadline_at) for task in tasks[: limit or None]]

        found = store.read_now(query)
        lacking = store.read_now(sign_evidence.tell_lacking)
    if json:
        print_json([task for task, _ in found])
        return
    print_table(
        "Việc ký đang mở",
        ("mã", "giấy", "bước", "trạng thái", "chờ ai", "hạn"),
        (
            (
                task["id"],
                f"{task['paper']} {task['version']}",
                task["step"],
                _STATES[task["state"]] + (f": {', '.join(task['after'])}" if task["after"] else ""),
                ", ".join(task["waits_for"]) or "—",
                moment(deadline) + (" QUÁ HẠN" if task["overdue"] else " SẮP HẠN" if task["warned"] else ""),
            )
            for task, deadline in found
        ),
    )
    if lacking:
        console.print(lacking, markup=False)


app.command("evidence")(sign_evidence.show)
app.command("proofs")(sign_evidence.lacking)
app.command("raise")(sign_evidence.ask_more)


@app.command("run")
def run(
    holder: Holder,
    config: Config = HERE,
    paper: Annotated[list[str], typer.Option("--paper", help="Chỉ các loại giấy này.")] = [],  # noqa: B006 - typer's form
    task: Annotated[list[str], typer.Option("--task", help="Chỉ các việc ký này.")] = [],  # noqa: B006 - typer's form
    limit: Annotated[int, typer.Option(help="Ký nhiều nhất bao nhiêu giấy; 0 = tất cả.")] = 0,
    json: Json = False,
) -> None:
    """Ký những gì đã tới lượt người này, bằng khóa đặt trên máy chủ. Dừng bằng Ctrl-C; chạy lại để ký tiếp.

    Mã thoát 1 khi còn việc không ký được, 4 khi khóa không dùng được.

    Ví dụ: lienthong sign run --holder BS001 --paper discharge_paper -c /etc/lienthong
    """
    with ledger(config) as (plan, store):
        key = _key(plan, holder)
        sitting = signing_run.Run(
            plan,
            store,
            SystemClock(),
            holder,
            key,
            actor(),
            platform.node()[:64],
            progress=_say_nothing if json else _show,
        )
        outcome = sitting.sign(paper, limit, task)
    if json:
        print_json(
            {
                "signed": outcome.signed,
                "left": outcome.left,
                "failed": [
                    {"task": one, "fault": fault_dict(fault.code, fault.where, fault.detail)}
                    for one, fault in outcome.failed
                ],
                "fault": outcome.fault and fault_dict(outcome.fault.code, outcome.fault.where, outcome.fault.detail),
            }
        )
    else:
        console.print(f"đã ký {outcome.signed}, không ký được {len(outcome.failed)}, còn lại {outcome.left}")
    if outcome.fault is not None:
        raise outcome.fault
    if outcome.failed:
        raise typer.Exit(1)


@app.command("refuse")
def refuse(task: Task, holder: Holder, reason: Reason, config: Config = HERE) -> None:
    """Từ chối ký: giấy bị trả lại, chữ ký trước đó hết giá trị; giấy được lập lại khi dữ liệu được sửa.

    Ví dụ: lienthong sign refuse 0197… --holder TK001 -r "chẩn đoán ra viện chưa đúng"
    """
    with ledger(config) as (plan, store):
        now = SystemClock().now()
        again = store.write_now(
            lambda connection: signing_tasks.refuse(connection, plan, task, holder, reason, actor(), now)
        )
    console.print(f"đã trả lại; bản mới: {again}")


@app.command("skip")
def skip(task: Task, holder: Holder, reason: Reason, config: Config = HERE) -> None:
    """Bỏ qua một chữ ký, nơi chính sách ký cho phép.

    Ví dụ: lienthong sign skip 0197… --holder GD001 -r "trưởng khoa đi công tác"
    """
    with ledger(config) as (plan, store):
        now = SystemClock().now()
        store.write_now(lambda connection: signing_tasks.skip(connection, plan, task, holder, reason, actor(), now))
    console.print("đã bỏ qua")


# ---- how it is told ----

_STATES = {"waiting": "chờ bước trước", "ready": "tới lượt", "claimed": "đang ký"}


def _say_nothing(_: signing_run.Progress) -> None: ...


def _show(done: signing_run.Progress) -> None:
    said = (
        "" if done.fault is None else f" [red]LT{done.fault.code}[/] {escape(text(done.fault.code, language()).what)}"
    )
    errors.print(f"{done.number}/{done.total} {done.paper} {done.task_id}{said}")


def _key(plan: Plan, holder: str) -> KeyProvider:
    """Open a person's key; what is not written, such as the PIN or a one-time code, is asked for and forgotten."""
    key = signing_tasks.signer(plan, holder).key
    if key is None:
        raise SignerUnknown(holder, "no key")
    asked = {name: Secret(typer.prompt(name, hide_input=True, err=True)) for name in key.asks}
    return open_key(key.kind, {**key.options, **asked}, _ask)


def _ask(wanted: str) -> str:
    return str(typer.prompt(wanted, hide_input=True, err=True))
