"""`lienthong sandbox`: the simulated destinations, for integrators and for the demo; `portal`: the insurance portal alone."""

from __future__ import annotations

import typer

from conformance.sandbox import server
from conformance.sandbox.portal import command


def sandbox(context: typer.Context) -> None:
    """Chạy bốn nơi nhận mô phỏng (cổng BHYT, trục Bộ Y tế, hệ thống điều phối, máy chủ FHIR) và CA thử nghiệm
    với OCSP, CRL, dấu thời gian và dịch vụ ký từ xa.

    Chỉ cổng BHYT, cho người làm HIS, không cần cấu hình: lienthong sandbox portal [--port …] [--account …] [--certificate …]

    Mọi tham số được chuyển cho sandbox; xem: lienthong sandbox -- --help, lienthong sandbox portal -- --help
    """
    if context.args[:1] == ["portal"]:
        raise typer.Exit(command.main(context.args[1:]))
    raise typer.Exit(server.main(context.args) or 0)
