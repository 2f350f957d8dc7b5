"""`lienthong bhyt`: the insurance tables (XML0 to XML15), without a node."""

from __future__ import annotations

import typer

from gateway.cli import bhyt_check, bhyt_read, bhyt_write

app = typer.Typer(help="Dữ liệu BHYT (XML0–XML15): đọc, lập, kiểm tra.", no_args_is_help=True)
app.command("read")(bhyt_read.read)
app.command("write")(bhyt_write.write)
app.command("check")(bhyt_check.check)
app.command("rules")(bhyt_check.rules)


@app.callback()
def bhyt_() -> None:
    """Dữ liệu BHYT (XML0–XML15) của QĐ 130, QĐ 4750, QĐ 3176: đọc thành FHIR, lập từ FHIR, kiểm tra."""
