"""`lienthong cda check`: is this CDA document valid, and is the paper as its form wants it?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from lxml import etree

from gateway.cli.output import Json, complain, console, fault_dict, print_json
from mappings.cda.check import Checked, Problem
from mappings.cda.check import check as check_document
from mappings.documents import PAPERS
from mappings.formats.faults import Fault

_SCHEMAS = ("CDA.xsd", "CDA_SDTC.xsd")


def check(
    files: Annotated[list[Path], typer.Argument(help="Tệp CDA, đã ký hay chưa.", exists=True, dir_okay=False)],
    schema: Annotated[
        Path | None, typer.Option("--schema", help="Thư mục lược đồ CDA R2 của HL7 (có CDA.xsd).", exists=True)
    ] = None,
    paper: Annotated[str, typer.Option("--paper", help="Kiểm theo mẫu giấy này, dù tệp nói gì về mình.")] = "",
    json: Json = False,
) -> None:
    """Kiểm tài liệu CDA theo lược đồ (nếu chỉ ra) và theo quy tắc của từng mẫu giấy. Mã thoát 1 khi có tệp không đạt.

    Ví dụ: lienthong cda check --schema cda-schema giay-ra-vien.xml
    """
    if paper and paper not in PAPERS:
        raise typer.BadParameter(f"không có giấy {paper}; có: {', '.join(PAPERS)}", param_hint="--paper")
    known = _schema(schema) if schema else None
    results: list[dict[str, object]] = []
    for path in files:
        try:
            checked = check_document(path.read_bytes(), known, paper)
        except Fault as fault:
            told = fault_dict(fault.code, fault.where, fault.detail)
            results.append({"file": str(path), "valid": False, "paper": "", "problems": [], "fault": told})
            if not json:
                console.print(f"[bold red]KHÔNG ĐỌC ĐƯỢC[/] {path}", soft_wrap=True)
                complain(fault)
            continue
        results.append(_result(path, checked))
        if not json:
            _show(path, checked, known is not None)
    if json:
        print_json(results)
    if not all(result["valid"] for result in results):
        raise typer.Exit(1)


def _schema(folder: Path) -> etree.XMLSchema:
    """Load the schema of CDA R2 from a folder or from its file."""
    found = [folder] if folder.is_file() else [path for name in _SCHEMAS for path in sorted(folder.rglob(name))]
    if not found:
        raise typer.BadParameter(f"không thấy {' hay '.join(_SCHEMAS)} trong {folder}", param_hint="--schema")
    try:
        return etree.XMLSchema(etree.parse(found[0]))
    except (etree.XMLSchemaParseError, etree.XMLSyntaxError):
        raise typer.BadParameter(f"{found[0]} không phải lược đồ dùng được", param_hint="--schema") from None


def _result(path: Path, checked: Checked) -> dict[str, object]:
    problems = [{"rule": one.rule, "where": one.where, "what": one.said} for one in checked.problems]
    return {"file": str(path), "valid": not problems, "paper": checked.paper, "problems": problems, "fault": None}


def _show(path: Path, checked: Checked, with_schema: bool) -> None:
    if checked.problems:
        console.print(f"[bold red]KHÔNG ĐẠT[/] {path}", soft_wrap=True)
    else:
        by = [*(["lược đồ CDA R2"] if with_schema else []), *([f"mẫu {checked.paper}"] if checked.paper else [])]
        console.print(f"[bold green]ĐẠT[/] {path} ({', '.join(by) or 'chỉ đọc được XML'})", soft_wrap=True)
    if not checked.paper:
        console.print("  [yellow]lưu ý:[/] không phải giấy của Liên Thông, không có mẫu để kiểm", soft_wrap=True)
    for problem in checked.problems:
        console.print(f"  {_said(problem)}", soft_wrap=True, markup=False, highlight=False)


def _said(problem: Problem) -> str:
    return f"{problem.said or problem.where} [{problem.rule}]"
