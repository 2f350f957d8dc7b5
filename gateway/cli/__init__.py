"""The command `lienthong`.

Exit codes: 0 done · 1 done, and the result is a no (a problem found, a negative answer, a reconciliation that does not
close, an invalid signature) · 2 wrong usage · 3 the configuration does not allow it · 4 the store or a key is away.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from gateway.cli.output import complain, language
from gateway.cli.usage import speak_vietnamese
from gateway.faults import ConfigFault, StoreFault
from mappings.formats.faults import Fault, SigningFault

_COMMANDS = {
    "serve": ("serve.serve", "Chạy một nút: nhận, lưu, lập giấy, ký, gửi — đến khi nhận SIGTERM hoặc Ctrl-C."),
    "nodes": (
        "nodes.nodes",
        "Liệt kê các nút cùng dùng sổ cái: việc, phiên bản, nút dẫn đầu, lần cuối lên tiếng, đang giữ gì.",
    ),
    "demo": (
        "demo.demo",
        "Diễn một ngày ở bệnh viện: thông điệp HL7 v2 vào, giấy tờ đã ký đến ba nơi nhận, có đối soát.",
    ),
    "sandbox": (
        "sandbox.sandbox",
        "Chạy bốn nơi nhận mô phỏng (cổng BHYT, trục Bộ Y tế, hệ thống điều phối, máy chủ FHIR).",
    ),
    "check": (
        "check.check",
        "Kiểm tra toàn bộ cấu hình: tệp, dòng, cách sửa; thử cổng, bí mật và khóa ký. Mã thoát 1 khi có lỗi.",
    ),
    "send": (
        "send.send",
        "Gửi tệp hoặc cả thư mục qua MLLP và cho xem từng câu trả lời. Mã thoát 1 nếu có thông điệp không được nhận.",
    ),
    "find": ("find.find", "Tìm thông điệp, giấy tờ và lần gửi theo một số bất kỳ; không tìm thấy thì mã thoát là 1."),
    "map": (
        "mapping.map_",
        "Cho xem thông điệp HL7 v2 hoặc của máy xét nghiệm (ASTM) thành gì.",
    ),
    "resend": (
        "again.resend",
        "Gửi lại đúng các byte cũ với đúng khóa cũ, cho nhiều lần gửi chọn theo điều kiện.",
    ),
    "reprocess": (
        "again.reprocess",
        "Ánh xạ lại các bản tin đã lưu bằng ánh xạ hôm nay.",
    ),
    "verify": (
        "verify.verify",
        "Kiểm tra chữ ký số: nội dung, chứng thư, thu hồi tại thời điểm ký, dấu thời gian, người ký.",
    ),
    "sign-agent": (
        "sign_agent.sign_agent",
        "Chạy trạm ký trên máy của người ký: xem giấy tờ, nhập PIN, ký bằng USB token. Cổng không thấy khóa và PIN.",
    ),
    "messages": ("messages.app", "Thông điệp đã nhận và kết quả xử lý từng trường."),
    "deliveries": ("deliveries.app", "Giấy tờ trên đường đến từng nơi nhận."),
    "errors": ("errors.app", "Hàng lỗi: việc cần con người, nguyên nhân và cách xử lý."),
    "jobs": ("jobs.app", "Các đợt gửi lại, ánh xạ lại: đến đâu, dừng, làm tiếp."),
    "paper": ("paper.app", "Giấy tờ: đến hạn, đã lập, còn thiếu gì; xem, cấp, cấp lại, hủy."),
    "sign": ("sign.app", "Ký số: giấy nào chờ ai, ký theo lô, từ chối, bỏ qua."),
    "report": ("report.app", "Báo cáo của một ngày: đủ hay thiếu, và đối soát với từng nơi nhận."),
    "persons": ("persons.app", "Người bệnh: các số của một người, gộp, liên kết và hoàn tác."),
    "record": ("record.app", "Hồ sơ của một lượt khám, điều trị: kết xuất khi có yêu cầu."),
    "codes": ("codes.app", "Mã dùng tại cơ sở và danh mục dùng chung."),
    "cda": ("cda.app", "Tài liệu lâm sàng: CDA và FHIR."),
    "bhyt": ("bhyt.app", "Dữ liệu BHYT (XML0–XML15): đọc, lập, kiểm tra."),
    "card": ("card.app", "Thẻ BHYT: tra cứu, ai đã tra, dừng và cho tra tiếp."),
    "images": ("images.app", "Ảnh y khoa (DICOM): các lần chụp, khu cách ly, sửa nhầm người bệnh."),
    "lab": ("lab.app", "Xét nghiệm: gán kết quả của máy cho đúng người, chỉ định gửi xuống máy, giá trị nguy kịch."),
    "pacs": ("pacs.app", "PACS: hỏi có lần chụp nào, lấy về, hỏi PACS có chắc chắn giữ ảnh không."),
    "portal": ("portal.app", "Cổng BHYT ngoài hàng đợi: danh mục, tệp tháng, sửa và thu hồi hồ sơ, hạn gửi."),
    "certs": ("certs.app", "Sổ đăng ký chứng thư chữ ký số: người giữ, cấp, bàn giao, sự cố, gia hạn, thu hồi."),
    "key": ("key.app", "Khóa mã hóa sổ cái."),
}
"""Each command: the module of this package that knows it, and its line in the list of commands."""
_OPEN: dict[str, dict[str, Any]] = {
    "sandbox": {"context_settings": {"allow_extra_args": True, "ignore_unknown_options": True}}
}


class Commands(TyperGroup):
    """Reads a module when its command is asked for: reading all of them takes longer than most commands, or than their list."""

    _listing = False

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.commands = {name: TyperCommand(name, help=line) for name, (_, line) in _COMMANDS.items()}
        self._read: dict[str, Any] = {}

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._listing = True
        super().format_help(ctx, formatter)
        self._listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if self._listing or cmd_name not in _COMMANDS:
            return self.commands.get(cmd_name)
        if cmd_name not in self._read:
            module, _, attribute = _COMMANDS[cmd_name][0].partition(".")
            found = getattr(import_module(f"gateway.cli.{module}"), attribute)
            holder = typer.Typer(add_completion=False, rich_markup_mode="rich", callback=lambda: None)
            if isinstance(found, typer.Typer):
                holder.add_typer(found, name=cmd_name)
            else:
                holder.command(cmd_name, **_OPEN.get(cmd_name, {}))(found)
            self._read[cmd_name] = typer.main.get_group(holder).commands[cmd_name]
        return self._read[cmd_name]


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
    if language() == "vi":
        speak_vietnamese()
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
