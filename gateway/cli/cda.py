"""`lienthong cda`: clinical documents, CDA and FHIR."""

from __future__ import annotations

import typer

from gateway.cli import cda_check, cda_read

app = typer.Typer(help="Tài liệu lâm sàng: CDA và FHIR.", no_args_is_help=True)
app.command("check")(cda_check.check)
app.command("read")(cda_read.read)


@app.callback()
def cda_() -> None:
    """Tài liệu lâm sàng: CDA và FHIR."""
