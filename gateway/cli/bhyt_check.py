"""`lienthong bhyt check` and `lienthong bhyt rules`: insurance files as the portal and its assessment would look at them."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from gateway.cli.bhyt_check_options import NAMES, lists_of, settings_of
from gateway.cli.bhyt_check_run import Checked, Options, run
from gateway.cli.bhyt_read import files_in
from gateway.cli.bhyt_report import WORDS, Aside, Line, Totals, by_rule, lines_of, write_html, write_xlsx
from gateway.cli.output import Json, complain, console, errors, language, now_local, print_table, said
from gateway.clock import VIETNAM
from mappings.bhyt.rules import RULES, not_run
from mappings.bhyt.rules import texts as rule_texts
from mappings.bhyt.tables import DECISIONS
from mappings.formats import json as exact
from mappings.formats.faults import Fault

SHOWN = 200
"""Findings in the table on the screen; files and `--json` have them all."""
ALONE = 3 << 20
"""Bytes below which other processes would take longer to start than the work takes."""


def check(
    paths: Annotated[list[Path], typer.Argument(help="Tệp hoặc thư mục.", metavar="TỆP", exists=True)],
    json: Json = False,
    html: Annotated[Path | None, typer.Option("--html", help="Ghi báo cáo HTML ra tệp này.", metavar="TỆP")] = None,
    xlsx: Annotated[Path | None, typer.Option("--xlsx", help="Ghi báo cáo Excel ra tệp này.", metavar="TỆP")] = None,
    lists: Annotated[
        Path | None,
        typer.Option(
            "--lists", help="Thư mục danh mục của cơ sở (CSV).", metavar="THƯ_MỤC", exists=True, file_okay=False
        ),
    ] = None,
    decision: Annotated[
        str,
        typer.Option("--decision", help="Theo quyết định này (130, 4750, 3176, 1931); mặc định theo ngày ra viện."),
    ] = "",
    workers: Annotated[int, typer.Option("--workers", help="Số tiến trình; 0 là mọi nhân.", min=0, max=64)] = 0,
    readings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Cách hiểu khác của một quy tắc, như summary_kinds=02,03,09.", metavar="TÊN=TRỊ"),
    ] = None,
    now: Annotated[
        datetime | None,
        typer.Option("--now", help="Coi đây là lúc này.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], metavar="LÚC"),
    ] = None,
) -> None:
    """Kiểm tra tệp XML BHYT trước khi gửi, như cổng và bộ phận giám định sẽ kiểm: hồ sơ, bảng, dòng, trường nào sai, làm gì.

    Không bao giờ in giá trị của người bệnh, chỉ nói trường trống, quá dài, mã lạ …

    Mã thoát: 0 không có lỗi chặn (có thể có lưu ý) · 1 có hồ sơ bị chặn · 2 có tệp hoặc danh mục không dùng được.

    --json in mỗi hồ sơ một dòng: file, record, findings (rule, severity, table, row, field, value, text), faults.

    Ví dụ: lienthong bhyt check ho-so.xml

    Ví dụ: lienthong bhyt check thu-muc/ --lists danh-muc/ --html bao-cao.html --xlsx bao-cao.xlsx

    Ví dụ: lienthong bhyt check thu-muc/ --json --set reexam_strictly_after=yes > ket-qua.ndjson
    """
    if decision and decision not in DECISIONS:
        raise typer.BadParameter(", ".join(DECISIONS), param_hint="--decision")
    try:
        settings = settings_of(readings or [])
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from None
    try:
        known = lists_of(lists)
    except Fault as fault:
        complain(fault)
        raise typer.Exit(2) from None
    files = files_in(paths)
    if not files:
        errors.print("Không có tệp nào: trong thư mục chỉ đọc các tệp .xml.")
        raise typer.Exit(2)
    moment = now.replace(tzinfo=VIETNAM) if now else now_local()
    options = Options(moment, known, settings, decision)
    weight = sum(file.stat().st_size for file in files)
    processes = 1 if weight < ALONE else workers or os.cpu_count() or 1
    absent = sorted(not_run(known))
    try:
        totals = _checked(files, options, processes, weight, json=json, html=html, xlsx=xlsx, absent=absent)
    except Fault as fault:
        complain(fault)
        raise typer.Exit(2) from None
    if totals.faults:
        raise typer.Exit(2)
    if totals.blocked:
        raise typer.Exit(1)


def _checked(
    files: list[Path],
    options: Options,
    processes: int,
    weight: int,
    *,
    json: bool,
    html: Path | None,
    xlsx: Path | None,
    absent: list[str],
) -> Totals:
    spoken = language()
    totals = Totals()
    shown: list[Line] = []
    aside = Aside() if html or xlsx else None
    bar = Progress(console=errors, transient=True, disable=not sys.stderr.isatty() or weight < ALONE)
    try:
        with bar:
            task = bar.add_task("kiểm tra", total=weight)
            for checked, done in run(files, options, processes):
                totals.count(checked)
                if json:
                    _print_line(checked)
                if aside or len(shown) < SHOWN:
                    for line in lines_of(checked, checked.file, spoken):
                        if aside:
                            aside.add(line)
                        if len(shown) < SHOWN:
                            shown.append(line)
                bar.advance(task, done)
        if aside and html:
            write_html(html, aside, totals, absent, spoken)
        if aside and xlsx:
            write_xlsx(xlsx, aside, totals, absent, spoken)
    finally:
        if aside:
            aside.close()
    if not json:
        _show(shown, totals, absent)
    elif absent:
        errors.print(WORDS[spoken]["not_run"].format(lists=", ".join(absent)))
    return totals


def _print_line(checked: Checked) -> None:
    spoken = language()
    findings = [{**one._asdict(), "text": rule_texts.text(one.rule, spoken)} for one in checked.findings]
    told: dict[str, Any] = {
        "file": checked.file,
        "record": checked.record,
        "findings": findings,
        "faults": [said(*checked.fault)] if checked.fault else [],
    }
    sys.stdout.buffer.write(exact.dumps(told) + b"\n")


def _show(shown: list[Line], totals: Totals, absent: list[str]) -> None:
    """Show the findings for people: where, which rule, what to do; then how often each rule found something."""
    words = WORDS[language()]
    if shown:
        names = words["columns"].split("|")
        print_table(
            words["findings"],
            (*names[1:8], names[8]),
            (
                (
                    f"{Path(file).name}\n{record}" if file else record,
                    table,
                    row or "",
                    field,
                    rule,
                    severity,
                    value,
                    text,
                )
                for file, record, table, row, field, rule, severity, value, text in shown
            ),
            right=(2,),
        )
        total = totals.rules.total() + totals.faults
        if total > len(shown):
            console.print(f"… và {total - len(shown)} dòng nữa; --json, --html, --xlsx có tất cả.")
        if len(totals.rules) > 1:
            print_table(words["rules"], words["by_rule"].split("|"), by_rule(totals, language()), right=(2,))
    console.print(totals.said(language()), soft_wrap=True, highlight=False)
    if absent:
        console.print(words["not_run"].format(lists=", ".join(absent)), soft_wrap=True, highlight=False)


def rules(
    json: Json = False,
    lists: Annotated[
        Path | None,
        typer.Option("--lists", help="Thư mục danh mục: quy tắc nào không chạy.", metavar="THƯ_MỤC", exists=True),
    ] = None,
) -> None:
    """Liệt kê mọi quy tắc kiểm tra: mức, bảng, nguồn, danh mục cần có, sai ở đâu và làm gì.

    Ví dụ: lienthong bhyt rules --json
    """
    try:
        known = lists_of(lists)
    except Fault as fault:
        complain(fault)
        raise typer.Exit(2) from None
    spoken = language()
    if json:
        for rule in RULES.values():
            told = {
                "id": rule.id,
                "severity": rule.severity,
                "tables": list(rule.tables),
                "source": rule.source,
                "decisions": list(rule.decisions),
                "valid_from": rule.valid_from.isoformat() if rule.valid_from else None,
                "valid_to": rule.valid_to.isoformat() if rule.valid_to else None,
                "needs": list(rule.needs),
                "runs": all(name in known for name in rule.needs),
                "block_errors": list(rule.errors),
                "text": rule_texts.text(rule.id, spoken),
            }
            sys.stdout.buffer.write(exact.dumps(told) + b"\n")
        return
    words = WORDS[spoken]
    print_table(
        f"{len(RULES)}",
        ("mã", "mức", "bảng", "nguồn", "cần danh mục", "sai ở đâu — làm gì"),
        (
            (
                rule.id,
                words[rule.severity],
                " ".join(rule.tables),
                rule.source,
                " ".join(rule.needs),
                rule_texts.text(rule.id, spoken),
            )
            for rule in RULES.values()
        ),
    )
    console.print(f"--set: {', '.join(NAMES)}", soft_wrap=True, highlight=False)
