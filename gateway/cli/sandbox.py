"""`lienthong sandbox`: the four simulated destinations, for integrators and for the demo."""

from __future__ import annotations

import typer

from conformance.sandbox import server


def sandbox(context: typer.Context) -> None:
    """Chạy bốn nơi nhận mô phỏng (cổng BHYT, trục Bộ Y tế, hệ thống điều phối, máy chủ FHIR) và CA thử nghiệm
    với OCSP, CRL, dấu thời gian và dịch vụ ký từ xa.

    Mọi tham số được chuyển cho sandbox; xem: lienthong sandbox -- --help
    """
    raise typer.Exit(server.main(context.args) or 0)
