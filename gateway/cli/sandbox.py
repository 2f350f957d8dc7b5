"""`lienthong sandbox`: the simulated destinations, for integrators and for the demo; `portal`: the insurance portal alone;
`monitor`: bedside monitors that send."""

from __future__ import annotations

import typer

from conformance.sandbox import monitor, server
from conformance.sandbox.portal import command


def sandbox(context: typer.Context) -> None:
    """Chạy bốn nơi nhận mô phỏng (cổng BHYT, trục Bộ Y tế, hệ thống điều phối, máy chủ FHIR) và CA thử nghiệm
    với OCSP, CRL, dấu thời gian và dịch vụ ký từ xa.

    Chỉ cổng BHYT, cho người làm HIS, không cần cấu hình: lienthong sandbox portal [--port …] [--account …] [--certificate …]

    Máy theo dõi tại giường, gửi PCD-01 và PCD-04: lienthong sandbox monitor --to 127.0.0.1:2577 [--rate …]

    Mọi tham số được chuyển cho sandbox; xem: lienthong sandbox -- --help, lienthong sandbox portal -- --help,
    lienthong sandbox monitor -- --help
    """
    if context.args[:1] == ["portal"]:
        raise typer.Exit(command.main(context.args[1:]))
    if context.args[:1] == ["monitor"]:
        raise typer.Exit(monitor.main(context.args[1:]))
    raise typer.Exit(server.main(context.args) or 0)
