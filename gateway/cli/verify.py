"""`lienthong verify`: is this paper what was signed, and by whom?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import Json, complain, console, fault_dict, print_json
from mappings.formats.faults import Fault
from signing.certificates import load_roots
from signing.verify import report
from signing.verify import verify as verify_xml
from signing.verify_jws import verify as verify_bundle

_WARNINGS = {
    "revocation not checked": "chưa kiểm tra thu hồi chứng thư (CRL/OCSP)",
    "no signing time in the signature": "chữ ký không mang thời điểm ký",
    "signing time claimed by the signer": "thời điểm ký do người ký khai, không có dấu thời gian",
    "signature type, time and signer are not protected": "chữ ký không bảo vệ loại chữ ký, thời điểm và người ký ghi trong tệp",
    "digits of numbers are not protected": "chữ ký không bảo vệ số chữ số của các con số (4.50 hay 4.5)",
}


def verify(
    files: Annotated[list[Path], typer.Argument(help="Tệp XML hoặc FHIR JSON đã ký.", exists=True, dir_okay=False)],
    trust: Annotated[
        list[Path], typer.Option("--trust", help="Tệp PEM của chứng thư gốc được tin.", exists=True, dir_okay=False)
    ],
    json: Json = False,
) -> None:
    """Kiểm tra chữ ký số của giấy tờ: toàn vẹn, chuỗi chứng thư, người ký. Mã thoát 1 khi có tệp không đạt.

    Ví dụ: lienthong verify giay-ra-vien.xml --trust ca.pem
    """
    roots = load_roots([path.read_bytes() for path in trust])
    results: list[dict[str, object]] = []
    for path in files:
        try:
            data = path.read_bytes()
            verified = (verify_bundle if data.lstrip()[:1] == b"{" else verify_xml)(data, roots, None)
        except Fault as fault:
            results.append(
                {"file": str(path), "valid": False, "fault": fault_dict(fault.code, fault.where, fault.detail)}
            )
            if not json:
                console.print(f"[bold red]KHÔNG HỢP LỆ[/] {path}", soft_wrap=True)
                complain(fault)
            continue
        results.append({"file": str(path), "valid": True, **report(verified)})
        if not json:
            console.print(f"[bold green]HỢP LỆ[/] {path}", soft_wrap=True)
            console.print(f"  người ký: {verified.signer.name}; tổ chức: {verified.signer.organisation or '—'}")
            for warning in verified.warnings:
                console.print(f"  [yellow]lưu ý:[/] {_WARNINGS.get(warning, warning)}")
    if json:
        print_json(results)
    if not all(result["valid"] for result in results):
        raise typer.Exit(1)
