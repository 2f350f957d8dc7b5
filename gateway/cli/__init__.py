"""The command `lienthong`.

Exit codes: 0 done · 1 done, and the result is a no (a problem found, a negative answer, a reconciliation that does not
close, an invalid signature) · 2 wrong usage · 3 the configuration does not allow it · 4 the store or a key is away.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from gateway.cli.output import complain
from gateway.faults import ConfigFault, StoreFault
from mappings.formats.faults import Fault, SigningFault

_COMMANDS = {
    "serve": "serve.serve",
    "nodes": "nodes.nodes",
    "demo": "demo.demo",
    "sandbox": "sandbox.sandbox",
    "check": "check.check",
    "send": "send.send",
    "find": "find.find",
    "map": "mapping.map_",
    "resend": "again.resend",
    "reprocess": "again.reprocess",
    "verify": "verify.verify",
    "sign-agent": "sign_agent.sign_agent",
    "messages": "messages.app",
    "deliveries": "deliveries.app",
    "errors": "errors.app",
    "jobs": "jobs.app",
    "paper": "paper.app",
    "sign": "sign.app",
    "report": "report.app",
    "persons": "persons.app",
    "record": "record.app",
    "codes": "codes.app",
    "cda": "cda.app",
    "bhyt": "bhyt.app",
    "card": "card.app",
    "images": "images.app",
    "lab": "lab.app",
    "pacs": "pacs.app",
    "portal": "portal.app",
    "certs": "certs.app",
    "key": "key.app",
}
"""Each command, and the module of this package that knows it."""
_OPEN: dict[str, dict[str, Any]] = {
    "sandbox": {"context_settings": {"allow_extra_args": True, "ignore_unknown_options": True}}
}


class Commands(TyperGroup):
    """Reads a module when its command is asked for: reading all of them takes longer than most commands."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _COMMANDS:
            return None
        if cmd_name not in self.commands:
            module, _, attribute = _COMMANDS[cmd_name].partition(".")
            found = getattr(import_module(f"gateway.cli.{module}"), attribute)
            holder = typer.Typer(add_completion=False, rich_markup_mode="rich", callback=lambda: None)
            if isinstance(found, typer.Typer):
                holder.add_typer(found, name=cmd_name)
            else:
                holder.command(cmd_name, **_OPEN.get(cmd_name, {}))(found)
            self.commands[cmd_name] = typer.main.get_group(holder).commands[cmd_name]
        return self.commands[cmd_name]


app = typer.Typer(
    name="lienthong",
    help="Liên Thông: cổng liên thông dữ liệu y tế — từ HIS, LIS, PACS đến giấy tờ đã ký và nơi nhận, có bằng chứng.",
    epilog="Mã thoát: 0 xong · 1 kết quả là không · 2 sai cách dùng · 3 cấu hình sai · 4 sổ cái hoặc khóa không dùng được.",
    cls=Commands,
    callback=lambda: None,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
