"""`lienthong bhyt write`: the insurance file of the visit that a FHIR Bundle holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import complain, now_local
from mappings.bhyt.faults import VisitUnknown
from mappings.bhyt.fhir.bundle import bundle_to_visit
from mappings.bhyt.files import bare_file, visit_to_file
from mappings.bhyt.tables import DECISIONS
from mappings.bhyt.visits import BARE
from mappings.formats import json
from mappings.formats.faults import Fault


def write(
    bundle: Annotated[Path, typer.Argument(help="Bundle FHIR (.json) của một lượt khám.", metavar="TỆP", exists=True)],
    decision: Annotated[
        str, typer.Option("--decision", help="Quyết định: 130, 4750, 3176, 1931.", metavar="SỐ")
    ] = "3176",
    out: Annotated[Path | None, typer.Option("--out", help="Ghi ra tệp này thay vì màn hình.", metavar="TỆP")] = None,
    table: Annotated[
        str,
        typer.Option("--table", help="Chỉ một bảng, không phong bì: XML0 và XML12 được gửi như vậy.", metavar="BẢNG"),
    ] = "",
    facility: Annotated[
        str, typer.Option("--facility", help="MA_CSKCB, khi Encounter không nêu cơ sở.", metavar="MÃ")
    ] = "",
    head: Annotated[
        str, typer.Option("--head", help="Giấy phép hành nghề của thủ trưởng (MA_TTDV), khi Bundle không nêu.")
    ] = "",
    cdata: Annotated[bool, typer.Option("--cdata", help="Viết lời văn trong CDATA thay cho thoát ký tự.")] = False,
    as_guide: Annotated[
        bool, typer.Option("--as-guide", help="Thêm khai báo XML và không gian tên như bản hướng dẫn in.")
    ] = False,
) -> None:
    """Lập tệp XML BHYT chưa ký (GIAMDINHHS) từ Bundle FHIR của một lượt khám.

    Nhận cả dòng mà "lienthong bhyt read --json" in ra, cả Bundle gồm tài nguyên đến bằng HL7 v2. Điều không ai nêu để trống,
    không tự bịa; kiểm tra bằng "lienthong bhyt check". Ngày lập lấy theo Bundle, không có thì hôm nay.

    XML0 và XML12 đi riêng, không nằm trong GIAMDINHHS: dùng --table. XML0 lấy từ y lệnh hoặc khoản thu đầu tiên.

    Ví dụ: lienthong bhyt write luot-kham.json --decision 3176 --out ho-so.xml

    Ví dụ: lienthong bhyt write luot-kham.json --decision 4750 --cdata

    Ví dụ: lienthong bhyt write luot-kham.json --table XML0
    """
    if decision not in DECISIONS:
        raise typer.BadParameter(", ".join(DECISIONS), param_hint="--decision")
    if table and table not in BARE:
        raise typer.BadParameter(", ".join(BARE), param_hint="--table")
    try:
        told = json.loads(bundle.read_bytes())
        if isinstance(told, dict) and "bundle" in told:
            told = told["bundle"]
        if not isinstance(told, dict) or told.get("resourceType") != "Bundle":
            raise VisitUnknown(bundle.name, "the file is no FHIR Bundle")
        visit = bundle_to_visit(told, decision=decision, facility=facility, head=head, check_in=table == "XML0")
        if table:
            data = bare_file(visit, table, decision=decision, cdata=cdata)
        else:
            made_on = visit.made_on or now_local().date()
            data = visit_to_file(visit, decision=decision, made_on=made_on, cdata=cdata, as_in_guide=as_guide)
    except Fault as fault:
        complain(fault)
        raise typer.Exit(1) from None
    if out is not None:
        out.write_bytes(data)
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
