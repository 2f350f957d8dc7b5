"""The command `lienthong`.

Exit codes: 0 done · 1 done, and the result is a no (a problem found, a negative answer, a reconciliation that does not
close, an invalid signature) · 2 wrong usage · 3 the configuration does not allow it · 4 the store or a key is away.
"""

from __future__ import annotations

import sys

import typer

from gateway.cli import (
    again,
    cda,
    certs,
    check,
    codes,
    deliveries,
    demo,
    errors,
    find,
    jobs,
    key,
    mapping,
    messages,
    nodes,
    paper,
    persons,
    record,
    report,
    sandbox,
    send,
    serve,
    sign,
    sign_agent,
    verify,
)
from gateway.cli.output import complain
from gateway.faults import ConfigFault, StoreFault
from mappings.formats.faults import Fault, SigningFault

app = typer.Typer(
    name="lienthong",
    help="Liên Thông: cổng liên thông dữ liệu y tế — từ HIS, LIS, PACS đến giấy tờ đã ký và nơi nhận, có bằng chứng.",
    epilog="Mã thoát: 0 xong · 1 kết quả là không · 2 sai cách dùng · 3 cấu hình sai · 4 sổ cái hoặc khóa không dùng được.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("nodes")(nodes.nodes)
app.command("demo")(demo.demo)
app.command("sandbox", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(sandbox.sandbox)
app.command("check")(check.check)
app.command("send")(send.send)
app.command("find")(find.find)
app.command("map")(mapping.map_)
app.command("resend")(again.resend)
app.command("reprocess")(again.reprocess)
app.command("verify")(verify.verify)
app.command("sign-agent")(sign_agent.sign_agent)
app.add_typer(messages.app, name="messages")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(errors.app, name="errors")
app.add_typer(jobs.app, name="jobs")
app.add_typer(paper.app, name="paper")
app.add_typer(sign.app, name="sign")
app.add_typer(report.app, name="report")
app.add_typer(persons.app, name="persons")
app.add_typer(record.app, name="record")
app.add_typer(codes.app, name="codes")
app.add_typer(cda.app, name="cda")
app.add_typer(certs.app, name="certs")
app.add_typer(key.app, name="key")


def main() -> None:
    """Run the command; tell a fault in the person's language and leave with its exit code."""
    try:
        app()
    except Fault as fault:
        complain(fault)
        sys.exit(_exit_code(fault))
    except KeyboardInterrupt:
        sys.exit(130)


def _exit_code(fault: Fault) -> int:
    if isinstance(fault, ConfigFault):
        return 3
    if isinstance(fault, StoreFault):
        return 4
    if isinstance(fault, SigningFault) and fault.fault_class.value == "transient":
        return 4
    return 1
