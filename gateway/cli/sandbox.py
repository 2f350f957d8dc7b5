"""`lienthong sandbox`: the simulated destinations, for integrators and for the demo; each of `_ALONE` by itself."""

from __future__ import annotations

import typer

from conformance.sandbox import analyser_command, monitor, server
from conformance.sandbox.portal import command

_ALONE = {"portal": command.main, "analyser": analyser_command.main, "monitor": monitor.main}


def sandbox(context: typer.Context) -> None:
    """Chạy bốn nơi nhận mô phỏng (cổng BHYT, trục Bộ Y tế, hệ thống điều phối, máy chủ FHIR) và CA thử nghiệm
    với OCSP, CRL, dấu thời gian và dịch vụ ký từ xa.

    Chỉ cổng BHYT, cho người làm HIS, không cần cấu hình: lienthong sandbox portal [--port …] [--account …] [--certificate …]

    Một máy xét nghiệm (ASTM), cho người nối LIS và máy: lienthong sandbox analyser --connect 127.0.0.1:4010 [TỆP …] [--ask …]

    Máy theo dõi tại giường, gửi PCD-01 và PCD-04: lienthong sandbox monitor --to 127.0.0.1:2577 [--rate …]

    Mọi tham số được chuyển cho sandbox; xem: lienthong sandbox -- --help, lienthong sandbox portal -- --help,
    lienthong sandbox analyser -- --help, lienthong sandbox monitor -- --help
    """
    if context.args and context.args[0] in _ALONE:
        raise typer.Exit(_ALONE[context.args[0]](context.args[1:]))
    raise typer.Exit(server.main(context.args) or 0)
